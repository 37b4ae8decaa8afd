"""Callers who wait with `Prefer`."""

import time
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import Mock
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.exc import OperationalError
from uuid_utils.compat import uuid7

from api.waiting import wait_seconds
from db.errors import JobNotFound
from tests.api.answers import encoded, is_problem
from tests.api.finished import finish
from tests.api.soon import soon


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("wait=5", 5),
        ("respond-async, Wait = 7", 7),
        ('wait="3"', 3),
        ("wait=3; x=y", 3),
        ("wait=86400", 60),
        ("wait=-1", 0),
        ("wait=soon", 0),
        ("wait=" + "9" * 99, 0),
        ("handling=lenient", 0),
    ],
)
def test_how_long_a_caller_would_wait(prefer: str | None, seconds: int) -> None:
    """As RFC 7240 writes preferences; what isn't understood is no preference."""
    assert wait_seconds(prefer) == seconds


def test_a_get_waits_for_the_end(client: TestClient, job_id: UUID) -> None:
    """It answers when the job ends, and not before."""
    started = time.monotonic()
    with soon(lambda: finish(job_id)):
        answer = client.get(f"/v1/jobs/{job_id}", headers={"Prefer": "wait=50"})
    assert answer.json()["status"] == "succeeded"
    assert answer.headers["preference-applied"] == "wait=50"
    assert time.monotonic() - started < 25  # not told, it would have been 50


def test_a_get_waits_no_longer_than_it_was_told(client: TestClient, job_id: UUID) -> None:
    """Then it tells how the job stands."""
    assert client.get(f"/v1/jobs/{job_id}", headers={"Prefer": "wait=1"}).json()["status"] == "queued"
    assert is_problem(client.get(f"/v1/jobs/{uuid7()}", headers={"Prefer": "wait=9"}), 404, "job-not-found")


def test_a_submission_waits_too(client: TestClient, picture: bytes) -> None:
    """200 and the result, if it comes in time; else 202 and the job."""
    fields = {"image_base64": encoded(picture), "labels": ["square"], "reuse": False, "metadata": {"wait": "here"}}

    def finish_it() -> None:
        found = client.get("/v1/jobs", params={"metadata": "wait:here"}).json()
        finish(UUID(found["jobs"][0]["id"]))

    with soon(finish_it):
        answer = client.post("/v1/jobs", json=fields, headers={"Prefer": "wait=20"})
    assert (answer.status_code, answer.json()["status"]) == (200, "succeeded")
    late = client.post("/v1/jobs", json=fields, headers={"Prefer": "wait=1"})
    assert (late.status_code, late.json()["status"]) == (202, "queued")


def test_many_wait_for_one_job(client: TestClient, job_id: UUID) -> None:
    """All are told."""
    with ThreadPoolExecutor(6) as threads, soon(lambda: finish(job_id), 0.8):
        answers = list(threads.map(lambda _: client.get(f"/v1/jobs/{job_id}", headers={"Prefer": "wait=20"}), range(6)))
    assert {answer.json()["status"] for answer in answers} == {"succeeded"}


@pytest.mark.parametrize("error", [JobNotFound(UUID(int=0)), OperationalError("", {}, Exception())])
def test_what_was_accepted_is_answered_so(
    client: TestClient, picture: bytes, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job is there, whatever comes in the way of waiting for it."""
    monkeypatch.setattr("api.waiting.find", Mock(side_effect=error))
    form = {"labels": "square", "reuse": "false"}
    answer = client.post("/v1/jobs", files={"image": picture}, data=form, headers={"Prefer": "wait=5"})
    assert answer.status_code == 202
    assert answer.json()["status"] == "queued"
