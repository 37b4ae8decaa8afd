"""Keys: who gets in, who doesn't, and that nobody learns more than that."""

import json
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import hypothesis
import pytest
from fastapi.testclient import TestClient
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import text
from uuid_utils.compat import uuid7

from api.app import create_app
from api.credentials import Credentials
from api.known_keys import KnownKeys, known_keys
from db import api_keys
from db.api_keys import Scope
from db.session import session_factory
from db.settings import settings
from mainmask import Client, KeyRefused, RequestRejected
from tests.api_keys import (
    ADMIN,
    ADMIN_KEY,
    answered_unread,
    bearer,
    code_of,
    declared_scopes,
    guarded_routes,
    new_caller,
    new_key,
)

PAGE = {"/", "/page/settings.json", "/page/sample.jpg"}
OPEN = {*PAGE, "/healthz", "/readyz", "/metrics", "/docs", "/openapi.json"}
"""What asks for no key; `/metrics` may ask for a token of its own."""
JSON = {"content-type": "application/json"}
ANYTHING = {**dict.fromkeys(("job_id", "batch_id", "delivery_id", "key_id"), UUID(int=7)), "artifact": "mask"}

pytestmark = pytest.mark.usefixtures("keys_are_on")


def sent(authorization: str | bytes) -> list[tuple[bytes, bytes]]:
    """The header as it is sent."""
    value = authorization if isinstance(authorization, bytes) else authorization.encode("latin-1")
    return [(b"authorization", value)]


def test_every_route_names_its_scope() -> None:
    """A new route asks for a key with one scope, or stands on the short list of those that are for everyone."""
    for method, path, scopes in declared_scopes(create_app()):
        assert len(scopes) == (0 if path in OPEN else 1), f"{method} {path}"


def test_every_guarded_route_documents_its_guards(client: TestClient) -> None:
    """The OpenAPI document has the key, on each guarded route its scope, and the refusals as answers."""
    document = client.get("/openapi.json").json()
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    for route in guarded_routes(create_app()):
        operation = document["paths"][route.path][route.method.lower()]
        assert operation["security"] == [{"key": [route.scope]}]
        assert {"401", "403", "429", "503"} <= set(operation["responses"])


def test_health_and_documentation_are_for_everyone(client: TestClient) -> None:
    """Supervisors and readers have no key."""
    for path in sorted(OPEN):
        assert client.get(path).status_code == 200, path


def test_without_a_key_no_route_answers_or_reads_a_body(client: TestClient) -> None:
    """Missing, malformed, unknown, wrong and revoked keys: one and the same 401 from every route, the body unread."""
    app = create_app()
    valid, revoked = new_key(client), new_key(client)
    client.delete(f"/v1/keys/{revoked['id']}", headers=ADMIN)
    wrong = Credentials.new(UUID(valid["id"]))
    refused = [
        [],
        sent("Bearer rubbish"),
        sent(f"Basic {valid['key']}"),
        sent(f"Bearer {Credentials.new(uuid7())}"),
        sent(f"Bearer {wrong}"),
        sent(f"Bearer {revoked['key']}"),
        sent(f"Bearer {valid['key']}") * 2,
    ]
    bodies = set()
    for route in guarded_routes(app):
        for headers in refused:
            answer = answered_unread(app, route.method, route.url(**ANYTHING), headers)
            assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer"), route
            bodies.add(answer.body)
            assert answer.code == "unauthenticated"
    assert len(bodies) == 1


TEXTS = st.one_of(st.text(), st.from_regex(r"mm_[0-9a-fA-F]{30,33}_[0-9a-f]{62,65}", fullmatch=True))


@hypothesis.settings(deadline=None)
@given(st.one_of(st.binary(max_size=200), TEXTS.map(lambda key: b"Bearer " + key.encode())))
@example(b"Bearer")
@example(b"Bearer ")
@example(b"Bearer  " + ADMIN_KEY.encode())
@example(b"Bearer " + ADMIN_KEY.encode()[:-1])
@example(b"Bearer mm_" + b"0" * 32 + b"_" + b"0" * 64 + b"\n")
@example("Bearer mm_\N{ARABIC-INDIC DIGIT ZERO}".encode())
def test_whatever_is_sent_as_a_key_is_refused(value: bytes) -> None:
    """No bytes in the header open the door or break it."""
    assert answered_unread(create_app(), "GET", "/v1/jobs", sent(value)).status == 401


@pytest.mark.parametrize("scope", list(Scope))
def test_a_scope_opens_its_own_routes_alone(client: TestClient, scope: Scope) -> None:
    """Every route of another scope is answered 403, its body unread; every route of this one isn't."""
    app = create_app()
    key = new_key(client, scopes=[scope])["key"]
    for route in guarded_routes(app):
        if route.scope is scope:
            answer = client.request(route.method, route.url(**ANYTHING), headers=bearer(key))
            assert answer.status_code not in {401, 403}, route
        else:
            refused = answered_unread(app, route.method, route.url(**ANYTHING), sent(f"Bearer {key}"))
            assert (refused.status, refused.code) == (403, "scope-missing"), route


def test_the_admin_key_makes_keys_and_sees_no_jobs(client: TestClient) -> None:
    """The setting's key has the scope admin, and no other."""
    assert client.get("/v1/keys", headers=ADMIN).status_code == 200
    assert client.get("/v1/jobs", headers=ADMIN).status_code == 403


@pytest.mark.parametrize("admin_key", ["", None])
def test_no_admin_key_opens_nothing(monkeypatch: pytest.MonkeyPatch, admin_key: str | None) -> None:
    """Unset or empty, the setting is no key that could be sent."""
    if admin_key is None:
        monkeypatch.delenv("MAINMASK_ADMIN_KEY")
    else:
        monkeypatch.setenv("MAINMASK_ADMIN_KEY", admin_key)
    settings.cache_clear()
    for value in (b"Bearer ", b"Bearer", b"Bearer None"):
        assert answered_unread(create_app(), "GET", "/v1/keys", sent(value)).status == 401


def test_a_key_is_shown_once_and_its_secret_is_not_stored(client: TestClient) -> None:
    """The answer to its creation alone holds it, and tells caches so; the row holds a hash."""
    fields = {"scopes": ["jobs:read"], "requests_per_minute": 60, "jobs_in_flight": 10, "bytes_per_day": 10**10}
    answer = client.post("/v1/keys", json={"name": "Anna's  laptop", "tenant": "anna", **fields}, headers=ADMIN)
    created = answer.json()
    assert answer.headers["cache-control"] == "no-store"
    secret = created.pop("key").rpartition("_")[2]
    assert created.items() >= {"name": "Anna's  laptop", "tenant": "anna", "revoked_at": None, **fields}.items()
    listed = client.get("/v1/keys", headers=ADMIN).json()["keys"]
    assert created in listed
    with session_factory()() as session:
        (row,) = session.execute(
            text("SELECT api_keys::text FROM api_keys WHERE id = :id"), {"id": created["id"]}
        ).scalars()
    for place in (json.dumps(listed), row):
        assert secret not in place
        assert secret.encode().hex() not in place


def test_keys_are_listed_page_by_page(client: TestClient) -> None:
    """The newest first, each once."""
    made = [new_key(client)["id"] for _ in range(3)]
    first = client.get("/v1/keys", params={"limit": 2}, headers=ADMIN).json()
    second = client.get("/v1/keys", params={"limit": 2, "before": first["next"]}, headers=ADMIN).json()
    assert [key["id"] for key in first["keys"] + second["keys"]][:3] == made[::-1]


def test_a_revoked_key_is_refused_at_once_where_it_was_revoked(client: TestClient) -> None:
    """Revoking it again changes nothing; it stays in the list with its time."""
    key = new_key(client)
    assert client.get("/v1/jobs", headers=bearer(key["key"])).status_code == 200
    moments = set()
    for _ in range(2):
        assert client.delete(f"/v1/keys/{key['id']}", headers=ADMIN).status_code == 204
        assert client.get("/v1/jobs", headers=bearer(key["key"])).status_code == 401
        (listed,) = (
            found for found in client.get("/v1/keys", headers=ADMIN).json()["keys"] if found["id"] == key["id"]
        )
        moments.add(listed["revoked_at"])
    assert len(moments) == 1
    assert None not in moments


def test_a_key_revoked_by_another_process_is_refused_soon(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process believes what it read for some seconds, here a part of one, and no longer."""
    monkeypatch.setattr("api.known_keys.FRESH_SECONDS", 0.3)
    known_keys.cache_clear()
    key = new_key(client)
    assert client.get("/v1/jobs", headers=bearer(key["key"])).status_code == 200
    with session_factory().begin() as session:
        api_keys.revoke(session, UUID(key["id"]))
    time.sleep(0.35)
    assert client.get("/v1/jobs", headers=bearer(key["key"])).status_code == 401


def test_what_is_remembered_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Made-up ids push the oldest out, and take no more memory than that."""
    monkeypatch.setattr("api.known_keys.MOST", 3)
    known = KnownKeys()
    for _ in range(10):
        assert known.get(uuid7()) is None
    assert len(known._known) == 3


def test_an_unknown_key_can_not_be_revoked(client: TestClient) -> None:
    """404 for an id that is no key's, 422 for what is no id."""
    answer = client.delete(f"/v1/keys/{uuid7()}", headers=ADMIN)
    assert (answer.status_code, code_of(answer.json())) == (404, "key-not-found")
    assert client.delete("/v1/keys/what", headers=ADMIN).status_code == 422


def test_a_key_gets_a_tenant_of_its_own(client: TestClient) -> None:
    """Made of its name; a name that leads to a tenant that is there would share its jobs unasked, and is refused."""
    name = f"Björn & Söhne {uuid7()}"
    assert new_key(client, name=name)["tenant"].startswith("bj-rn-s-hne-")
    again = client.post("/v1/keys", json={"name": name.replace(" & ", "/")}, headers=ADMIN)
    assert (again.status_code, code_of(again.json())) == (409, "tenant-taken")
    assert len({new_key(client, name="日本")["tenant"] for _ in range(2)}) == 2
    for name in ("Admin", "local"):
        assert client.post("/v1/keys", json={"name": name}, headers=ADMIN).status_code == 409


def test_two_keys_of_one_name_at_once_do_not_come_to_share(client: TestClient) -> None:
    """However close they come, one of them is refused."""
    for _ in range(5):
        body = {"name": f"Key {uuid7()}"}
        with ThreadPoolExecutor(4) as callers:
            answers = callers.map(lambda _, body=body: client.post("/v1/keys", json=body, headers=ADMIN), range(4))
            assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]


@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""},
        {"name": "  "},
        {"name": " a"},
        {"name": "a\x00b"},
        {"name": "two\nlines"},
        {"name": "\ud800"},
        {"name": "x" * 101},
        {"tenant": ""},
        {"tenant": "Upper"},
        {"tenant": "a/b"},
        {"tenant": "x" * 65},
        {"tenant": "a\n"},
        {"scopes": []},
        {"scopes": ["jobs"]},
        {"requests_per_minute": 0},
        {"jobs_in_flight": -1},
        {"bytes_per_day": 2**63},
        {"secret": "mine"},
    ],
    ids=repr,
)
def test_a_key_that_can_not_be(client: TestClient, fields: dict[str, Any]) -> None:
    """422 that names the field."""
    answer = client.post("/v1/keys", content=json.dumps({"name": "a key", **fields}), headers=ADMIN | JSON)
    assert answer.status_code == 422
    assert next(iter(fields)) in answer.json()["detail"]


def test_no_log_holds_a_secret(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    """Making, using, mistyping and revoking a key leaves no trace of it, however much is logged."""
    with caplog.at_level(logging.DEBUG):
        key = new_key(client)
        client.get("/v1/jobs", headers=bearer(key["key"]))
        client.get("/v1/jobs", headers=bearer(key["key"] + "0"))
        client.delete(f"/v1/keys/{key['id']}", headers=ADMIN)
    assert key["key"].rpartition("_")[2] not in caplog.text
    assert ADMIN_KEY not in caplog.text
    credentials = Credentials.read(key["key"])
    assert credentials.secret not in repr(credentials)


def test_rotation_keeps_the_jobs(client: TestClient, picture: bytes) -> None:
    """A second key of the tenant sees the first one's jobs, also once that is revoked."""
    old = new_key(client)
    job = client.post(
        "/v1/jobs", files={"image": picture}, data={"description": "a cat"}, headers=bearer(old["key"])
    ).json()
    new = new_caller(client, tenant=old["tenant"])
    client.delete(f"/v1/keys/{old['id']}", headers=ADMIN)
    assert client.get(f"/v1/jobs/{job['id']}", headers=new).json()["id"] == job["id"]


def test_the_client_and_the_service_agree(address: str, picture: bytes) -> None:
    """Over HTTP: the admin's client makes a key, its holder submits and reads, and is refused once it is revoked."""
    with Client(address, api_key=ADMIN_KEY) as admin:
        made = admin.create_key(f"Key {uuid7()}", requests_per_minute=60)
        assert made.id in {key.id: key for key in admin.keys()}  # noqa: SIM118 - no dictionary
        with Client(address, api_key=made.key) as caller:
            job = caller.submit(picture, "a cat")
            assert [listed.id for listed in caller.jobs()] == [job.id]
            admin.revoke_key(made)
            with pytest.raises(KeyRefused, match="takes a valid key"):
                caller.get(job.id)
        with pytest.raises(RequestRejected, match="There is no key"):
            admin.revoke_key(str(uuid7()))


def test_who_sends_a_large_image_without_a_key_hears_why(address: str) -> None:
    """The refusal comes before the body is read, and still arrives."""
    with Client(address) as client, pytest.raises(KeyRefused):
        client.submit(bytes(20 * 1024 * 1024), "a cat")
