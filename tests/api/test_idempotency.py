"""Requests that come again with the same `Idempotency-Key`."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select, update

from api import drafts
from api.callers import Caller
from api.drafts import Draft
from db.models import IdempotentAnswer, Job
from db.session import session_factory
from tests.api.answers import encoded, is_problem
from tests.api.finished import finish
from tests.api_keys import new_caller


@pytest.fixture
def key() -> str:
    """A key of this test's own."""
    return f"order-{uuid4()}"


def submit(client: TestClient, picture: bytes, key: str, **fields: Any) -> Any:
    """A submission under the key."""
    body = {"image_base64": encoded(picture), "labels": ["cat"], "reuse": False, **fields}
    return client.post("/v1/jobs", json=body, headers={"Idempotency-Key": key})


def jobs_marked(mark: str) -> int:
    """How many jobs have this metadata."""
    with session_factory()() as session:
        return session.scalar(select(func.count()).where(Job.caller_metadata == {"mark": mark})) or 0


def test_the_same_request_gets_the_first_answer(client: TestClient, picture: bytes, key: str) -> None:
    """Also after the job has ended: the same body, status and Location, and one job."""
    first = submit(client, picture, key, metadata={"mark": key})
    finish(UUID(first.json()["id"]))
    again = submit(client, picture, key, metadata={"mark": key})
    assert (again.status_code, again.json()) == (202, first.json())
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert jobs_marked(key) == 1


@pytest.mark.parametrize(
    "change",
    [{"labels": ["dog"]}, {"metadata": {"a": 1}}, {"instances": "all"}, {"webhook_url": "https://example.com/"}],
    ids=lambda change: next(iter(change)),
)
def test_another_request_under_the_key_is_refused(
    client: TestClient, picture: bytes, key: str, change: dict[str, Any]
) -> None:
    """Whatever is different."""
    assert submit(client, picture, key).status_code == 202
    assert is_problem(submit(client, picture, key, **change), 422, "idempotency-key-reused")


def test_another_image_under_the_key_is_refused(client: TestClient, picture: bytes, key: str) -> None:
    """Its bytes are part of what is said."""
    assert submit(client, picture, key).status_code == 202
    assert is_problem(submit(client, picture + b"\x00", key), 422, "idempotency-key-reused")


def test_the_same_request_many_times_at_once_makes_one_job(client: TestClient, picture: bytes, key: str) -> None:
    """All callers get the one answer, and no image of the others stays behind."""
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: submit(client, picture, key, metadata={"mark": key}), range(8)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert jobs_marked(key) == 1


def test_a_request_that_was_refused_may_be_mended(client: TestClient, picture: bytes, key: str) -> None:
    """Only what was accepted is remembered."""
    assert submit(client, b"no picture", key).status_code == 422
    assert submit(client, picture, key).status_code == 202


def test_keys_expire(client: TestClient, picture: bytes, key: str) -> None:
    """After its time the key is as good as new."""
    first = submit(client, picture, key)
    with session_factory().begin() as session:
        past = func.clock_timestamp() - timedelta(seconds=1)
        session.execute(update(IdempotentAnswer).where(IdempotentAnswer.key == key).values(expires_at=past))
    second = submit(client, picture, key, labels=["dog"])
    assert second.status_code == 202
    assert second.json()["id"] != first.json()["id"]


@pytest.mark.parametrize("bad", ["", "x" * 256, "a b", "é"])
def test_keys_that_are_none(client: TestClient, picture: bytes, bad: str) -> None:
    """Empty, too long, or not of visible ASCII: 422 that names the header."""
    answer = client.post(
        "/v1/jobs",
        json={"image_base64": encoded(picture), "labels": ["cat"]},
        headers={b"Idempotency-Key": bad.encode("latin-1")},
    )
    assert is_problem(answer, 422, "invalid-request")


def test_batches_are_repeatable_too(client: TestClient, picture: bytes, key: str) -> None:
    """One batch, however often it is sent; another body is refused."""
    body: dict[str, Any] = {"jobs": [{"image_base64": encoded(picture), "labels": ["cat"]}]}
    headers = {"Idempotency-Key": key}
    first = client.post("/v1/batches", json=body, headers=headers)
    assert client.post("/v1/batches", json=body, headers=headers).json() == first.json()
    other = client.post("/v1/batches", json={**body, "metadata": {"a": 1}}, headers=headers)
    assert is_problem(other, 422, "idempotency-key-reused")


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/batches"])
def test_two_at_once_take_one_place(
    keys_are_on: None, client: TestClient, picture: bytes, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """Both are let in before either has a job; the second one is answered like the first."""
    headers = {**new_caller(client, jobs_in_flight=1), "Idempotency-Key": "at-once"}
    both_are_in = threading.Barrier(2, timeout=30)
    store = drafts.store

    def store_together(caller: Caller, wanted: Draft) -> Job | None:
        both_are_in.wait()
        return store(caller, wanted)

    monkeypatch.setattr(drafts, "store", store_together)
    job = {"image_base64": encoded(picture), "labels": ["cat"]}
    body = job if path == "/v1/jobs" else {"jobs": [job]}
    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(lambda _: client.post(path, json=body, headers=headers), range(2)))
    assert [answer.status_code for answer in answers] == [202, 202]
    assert len({answer.json()["id"] for answer in answers}) == 1


def test_a_request_that_was_answered_needs_no_room(keys_are_on: None, client: TestClient, picture: bytes) -> None:
    """The caller's one job in flight is the very one that it asks for again: one after the other, and at once."""
    for count in (2, 4):
        caller = new_caller(client, jobs_in_flight=1)

        def submit_again(_: int, caller: dict[str, str] = caller) -> Any:
            headers = {**caller, "Idempotency-Key": "again"}
            return client.post("/v1/jobs", files={"image": picture}, data={"labels": "cat"}, headers=headers)

        with ThreadPoolExecutor(1 if count == 2 else count) as threads:
            answers = list(threads.map(submit_again, range(count)))
        assert {answer.status_code for answer in answers} == {202}
        assert len({answer.json()["id"] for answer in answers}) == 1
