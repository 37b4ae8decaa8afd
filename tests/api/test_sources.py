"""Images that a submission only points to: by URL, or by an upload."""

import urllib.request
from datetime import timedelta
from typing import Any
from unittest.mock import Mock
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, update
from uuid_utils.compat import uuid7

from db.errors import ObjectMissing
from db.keys import image_key, upload_key
from db.models import Upload
from db.session import session_factory
from db.settings import settings
from db.storage import object_store
from tests.api.answers import encoded, is_problem, submit
from tests.api_keys import new_caller

WORDS = {"labels": ["cat", "dog"]}


def put(url: str, data: bytes) -> None:
    """As any HTTP client puts a file."""
    with urllib.request.urlopen(urllib.request.Request(url, data=data, method="PUT")) as answer:
        assert answer.status == 200


def test_an_image_by_its_url_is_a_worker_s_to_fetch(client: TestClient) -> None:
    """The job is accepted at once, and says what is not known yet."""
    answer = client.post("/v1/jobs", json={"image_url": "https://example.com/cat.jpg", **WORDS})
    assert answer.status_code == 202
    image = answer.json()["input"]["image"]
    unknown = dict.fromkeys(("stored_url", "sha256", "width", "height"))
    assert image == {"url": "https://example.com/cat.jpg", **unknown}


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/cat.jpg",
        "file:///etc/passwd",
        "example.com/cat.jpg",
        "https://user:secret@example.com/cat.jpg",
        "https://user@example.com/",
        "https://",
        "https://example.com/" + "x" * 2048,
        "",
        7,
    ],
)
@pytest.mark.parametrize("field", ["image_url", "webhook_url"])
def test_what_is_no_url_of_the_web_is_refused(client: TestClient, picture: bytes, url: Any, field: str) -> None:
    """For images and for webhooks alike; the field is named."""
    image = {} if field == "image_url" else {"image_base64": encoded(picture)}
    answer = client.post("/v1/jobs", json={field: url, **image, **WORDS})
    assert is_problem(answer, 422, "invalid-request")
    assert answer.json()["errors"][0]["field"] == field


def test_an_upload_goes_around_the_api(client: TestClient, picture: bytes) -> None:
    """A PUT to the presigned URL, then jobs of it, as many as one likes."""
    upload = client.post("/v1/uploads").json()
    put(upload["url"], picture)
    for _ in range(2):
        answer = client.post("/v1/jobs", json={"upload_id": upload["id"], **WORDS})
        assert answer.status_code == 202
        assert object_store().get(image_key(UUID(answer.json()["id"]))) == picture


def test_a_form_may_point_to_the_image_too(client: TestClient) -> None:
    """The fields are the same, whatever carries them."""
    fields = {"image_url": "https://example.com/cat.jpg", "labels": "cat"}
    answer = client.post("/v1/jobs", files={name: (None, value) for name, value in fields.items()})
    assert answer.status_code == 202


def test_uploads_that_can_not_be_used(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unknown, empty, expired, or larger than what is taken."""

    def submitted(upload_id: Any) -> Any:
        return client.post("/v1/jobs", json={"upload_id": str(upload_id), **WORDS})

    assert is_problem(submitted(uuid7()), 404, "upload-not-found")
    upload_id = UUID(client.post("/v1/uploads").json()["id"])
    assert is_problem(submitted(upload_id), 404, "upload-not-found")
    large = settings().model_copy(update={"maximum_image_bytes": 10})
    object_store().put(upload_key(upload_id), b"x" * 11, "image/png")
    monkeypatch.setattr("api.drafts.settings", lambda: large)
    assert is_problem(submitted(upload_id), 413, "body-too-large")
    with session_factory().begin() as session:
        past = func.clock_timestamp() - timedelta(seconds=1)
        session.execute(update(Upload).where(Upload.id == upload_id).values(expires_at=past))
    assert is_problem(submitted(upload_id), 404, "upload-not-found")


def test_one_image_and_no_more(client: TestClient, picture: bytes) -> None:
    """None, or two that may contradict each other, are refused."""
    url = "https://example.com/cat.jpg"
    assert is_problem(client.post("/v1/jobs", json=WORDS), 422, "invalid-request")
    two = {"image_base64": encoded(picture), "image_url": url}
    assert is_problem(client.post("/v1/jobs", json={**two, **WORDS}), 422, "invalid-request")
    assert is_problem(submit(client, picture, image_url=url, description="a cat"), 400, "malformed-body")


def test_pictures_that_nobody_asked_for_are_not_there(client: TestClient, picture: bytes) -> None:
    """`outputs` is kept with the job, and an unknown one is refused."""
    answer = client.post("/v1/jobs", json={"image_base64": encoded(picture), "outputs": ["mask", "mask"], **WORDS})
    assert answer.json()["input"]["outputs"] == ["mask"]
    wrong = client.post("/v1/jobs", json={"image_base64": encoded(picture), "outputs": ["hologram"], **WORDS})
    assert is_problem(wrong, 422, "invalid-request")


def test_a_refused_upload_leaves_no_object(client: TestClient) -> None:
    """Nothing is copied from where nothing was put."""
    upload_id = UUID(client.post("/v1/uploads").json()["id"])
    client.post("/v1/jobs", json={"upload_id": str(upload_id), **WORDS})
    with pytest.raises(ObjectMissing):
        object_store().get(upload_key(upload_id))


def test_an_upload_that_grows_after_it_was_measured_is_refused(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its URL can be written to as long as it is valid: what counts is the copy, and that leaves nothing."""
    upload_id = UUID(client.post("/v1/uploads").json()["id"])
    store = object_store()
    store.put(upload_key(upload_id), b"small", "image/png")
    small = settings().model_copy(update={"maximum_image_bytes": 10})
    monkeypatch.setattr("api.drafts.settings", lambda: small)
    copy, copies = store.copy, []

    def copy_after_it_grew(source: str, target: str) -> None:
        store.put(source, b"x" * 11, "image/png")
        copies.append(target)
        copy(source, target)

    monkeypatch.setattr(store, "copy", copy_after_it_grew)
    answer = client.post("/v1/jobs", json={"upload_id": str(upload_id), **WORDS})
    assert is_problem(answer, 413, "body-too-large")
    with pytest.raises(ObjectMissing):
        store.get(copies[0])


def test_an_upload_that_leaves_after_it_was_measured_is_not_found(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweep may take it at this very moment."""
    upload_id = UUID(client.post("/v1/uploads").json()["id"])
    store = object_store()
    store.put(upload_key(upload_id), b"small", "image/png")
    monkeypatch.setattr(store, "copy", Mock(side_effect=ObjectMissing(upload_key(upload_id))))
    answer = client.post("/v1/jobs", json={"upload_id": str(upload_id), **WORDS})
    assert is_problem(answer, 404, "upload-not-found")


def test_so_many_uploads_may_be_open(keys_are_on: None, client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenant's own: 429 says when the next one ends."""
    narrow = settings().model_copy(update={"maximum_open_uploads": 2})
    monkeypatch.setattr("api.routes.uploads.settings", lambda: narrow)
    caller, other = new_caller(client), new_caller(client)
    answers = [client.post("/v1/uploads", headers=caller) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert 3000 < int(answers[-1].headers["retry-after"]) <= 3600
    assert client.post("/v1/uploads", headers=other).status_code == 201
