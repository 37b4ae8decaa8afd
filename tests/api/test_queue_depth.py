"""The queue's depth: when it is too deep, no job is taken, and no image is read."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import delete

from api.app import create_app
from api.queue_depth import QueueDepth, queue_depth
from db import jobs
from db.models import Job
from db.session import session_factory
from db.settings import settings
from tests.api.answers import encoded
from tests.api_keys import answered_unread, code_of
from tests.new_jobs import new_job
from tests.statements import listened_to


@pytest.fixture
def empty_queue(client: TestClient) -> None:
    """Whatever tests were before this one."""
    with session_factory().begin() as session:
        session.execute(delete(Job))


@pytest.fixture
def room_for_one(empty_queue: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One job more is taken, and then no more."""
    monkeypatch.setenv("MAINMASK_MAXIMUM_QUEUE_DEPTH", "1")
    for cache in (settings, queue_depth):
        cache.cache_clear()
    yield
    monkeypatch.undo()
    for cache in (settings, queue_depth):
        cache.cache_clear()


def submit(client: TestClient, picture: bytes) -> Any:
    """A submission, with the queue measured just now."""
    queue_depth.cache_clear()
    return client.post("/v1/jobs", files={"image": picture}, data={"description": "a cat"})


def test_a_full_queue_takes_no_more(client: TestClient, picture: bytes, room_for_one: None) -> None:
    """503 with a time to come back, until there are fewer; jobs that are there can be asked for all the while."""
    job = submit(client, picture).json()
    refused = submit(client, picture)
    assert (refused.status_code, code_of(refused.json())) == (503, "queue-full")
    assert int(refused.headers["retry-after"]) >= 1
    assert client.post(f"/v1/jobs/{job['id']}/retry").status_code == 503
    assert client.get(f"/v1/jobs/{job['id']}").status_code == 200
    assert client.post(f"/v1/jobs/{job['id']}/cancel").status_code == 200
    assert submit(client, picture).status_code == 202


def test_a_known_idempotency_key_is_no_way_in_for_a_retry(
    client: TestClient, picture: bytes, room_for_one: None
) -> None:
    """It lets in what only asks for its answer again."""
    key = {"Idempotency-Key": str(uuid4())}
    body = {"image_base64": encoded(picture), "labels": ["cat"], "reuse": False}
    job = client.post("/v1/jobs", json=body, headers=key).json()
    queue_depth.cache_clear()
    assert client.post("/v1/jobs", json=body, headers=key).json()["id"] == job["id"]
    assert client.post(f"/v1/jobs/{job['id']}/retry", headers=key).status_code == 503


def test_the_image_is_not_read(client: TestClient, picture: bytes, room_for_one: None) -> None:
    """The refusal needs the request's head alone."""
    submit(client, picture)
    queue_depth.cache_clear()
    refused = answered_unread(create_app(), "POST", "/v1/jobs", [(b"content-type", b"multipart/form-data; boundary=x")])
    assert (refused.status, refused.code) == (503, "queue-full")


def test_the_queue_is_measured_once_a_second(client: TestClient) -> None:
    """However many ask, Postgres counts once; and no further than it must."""
    with listened_to() as statements:
        depth = QueueDepth(maximum=10**6)
        assert not any(depth.is_full("local") for _ in range(100))
    assert len(statements) == 1
    assert "LIMIT" in statements[0]


def test_one_tenant_leaves_room_for_others(empty_queue: None) -> None:
    """From three quarters on, those whose jobs they are get no more in; others do until all is full."""
    tenant = f"tenant-{uuid4()}"
    with session_factory().begin() as session:
        for _ in range(3):
            jobs.create(session, new_job(tenant=tenant))
    depth = QueueDepth(maximum=4)
    assert depth.is_full(tenant)
    assert not depth.is_full("another")
    with session_factory().begin() as session:
        jobs.create(session, new_job(tenant="another"))
    full = QueueDepth(maximum=4)
    assert full.is_full(tenant)
    assert full.is_full("another")
