"""Callers who wait: by `Prefer`, by server-sent events, by polling with `ETag`."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from unittest.mock import Mock
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.exc import OperationalError
from uuid_utils.compat import uuid7

from api import event_stream, waiting
from api.waiting import wait_seconds
from db import claims, jobs
from db.claims import Holder
from db.errors import JobNotFound
from db.session import session_factory
from db.states import StageName
from tests.api.answers import encoded, is_problem, submit
from tests.api.finished import fail, finish


@contextmanager
def soon(do: Callable[[], Any], seconds: float = 0.4) -> Iterator[None]:
    """Do it in a while, beside the block."""
    timer = threading.Timer(seconds, do)
    timer.start()
    try:
        yield
    finally:
        timer.join()


@pytest.fixture
def job_id(client: TestClient, picture: bytes) -> UUID:
    """A job that waits for a worker."""
    return UUID(submit(client, picture, labels=["square"], reuse="false").json()["id"])


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


def told(client: TestClient, job_id: object, **headers: str) -> list[tuple[int, str, dict[str, Any]]]:
    """Number, name and data of every event until the stream ends."""
    text = client.get(f"/v1/jobs/{job_id}/events", headers=headers).text
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "event" in fields:
            found.append((int(fields["id"]), fields["event"], json.loads(fields["data"])))
    return found


def unsigned(events: list[tuple[int, str, dict[str, Any]]]) -> str:
    """The same without the signatures of links, which are others each second."""
    return re.sub(r"[?&]X-Amz-[^\"]*", "", json.dumps(events))


STORY = [
    "job.queued",
    *(f"stage.{what}" for _ in StageName for what in ("running", "succeeded")),
    "job.succeeded",
]


def test_events_tell_a_job_from_its_beginning_to_its_end(client: TestClient, job_id: UUID) -> None:
    """While it runs; the last one carries the document."""
    with soon(lambda: finish(job_id)):
        events = told(client, job_id)
    assert [name for _, name, _ in events] == STORY
    assert [data["stage"] for _, name, data in events if name == "stage.running"] == list(StageName)
    assert events[-1][2]["job"]["status"] == "succeeded"


def test_events_of_a_job_that_has_ended(client: TestClient, job_id: UUID) -> None:
    """The same story, all at once; after an event, only what came later."""
    finish(job_id)
    events = told(client, job_id)
    assert [name for _, name, _ in events] == STORY
    assert [number for number, _, _ in events] == sorted({number for number, _, _ in events})
    third = str(events[2][0])
    assert unsigned(told(client, job_id, **{"Last-Event-ID": third})) == unsigned(events[3:])
    assert told(client, job_id, **{"Last-Event-ID": str(events[-1][0])}) == []
    assert [name for _, name, _ in told(client, job_id, **{"Last-Event-ID": "rubbish"})] == STORY


def test_an_attempt_that_failed_is_told(client: TestClient, job_id: UUID) -> None:
    """It is tried again, and the stream says so."""
    with session_factory().begin() as session:
        claim = claims.take(session, job_id, StageName.CLASSIFY, Holder("here", 60), suspect=False)
        assert claim is not None
        jobs.start(session, job_id)
        claims.retry(session, claim, {"type": "storage-unavailable", "message": "?"}, 0)
        jobs.cancel(session, job_id)
    assert [name for _, name, _ in told(client, job_id)][-1] == "job.canceled"


def test_a_silent_stream_has_a_heartbeat(client: TestClient, job_id: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    """Comments, so that nothing between us takes it for dead."""
    monkeypatch.setattr(event_stream, "HEARTBEAT_SECONDS", 0.2)
    with soon(lambda: client.post(f"/v1/jobs/{job_id}/cancel"), 0.9):
        text = client.get(f"/v1/jobs/{job_id}/events").text
    assert text.count(": still here") >= 2


def test_a_stream_outlives_an_outage(client: TestClient, job_id: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is away just when the job's end is to be told, and nothing changes afterwards."""
    asked = 0

    def away_at_first(*arguments: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked in {2, 3}:
            raise OperationalError("", {}, Exception())
        return waiting.find(*arguments)

    monkeypatch.setattr(event_stream, "HEARTBEAT_SECONDS", 0.3)
    monkeypatch.setattr(event_stream, "find", away_at_first)
    with soon(lambda: client.post(f"/v1/jobs/{job_id}/cancel")):
        assert [name for _, name, _ in told(client, job_id)][-1] == "job.canceled"


def test_who_has_the_last_event_is_told_so(client: TestClient, job_id: UUID) -> None:
    """204: a browser asks again after each end of a stream, and would for ever."""
    client.post(f"/v1/jobs/{job_id}/cancel")
    *_, (last, _, _) = told(client, job_id)
    answer = client.get(f"/v1/jobs/{job_id}/events", headers={"last-event-id": str(last)})
    assert (answer.status_code, answer.content) == (204, b"")


def test_events_go_on_when_a_job_starts_again(client: TestClient, job_id: UUID) -> None:
    """Who heard of the first end hears of what came after it, of the second end too."""
    fail(job_id)
    *_, (end, name, _) = told(client, job_id)
    assert name == "job.failed"
    client.post(f"/v1/jobs/{job_id}/retry")
    fail(job_id)
    second = told(client, job_id, **{"Last-Event-ID": str(end)})
    assert [name for _, name, _ in second] == ["stage.running", "stage.failed", "job.failed"]
    assert all(number > end for number, _, _ in second)


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


def test_a_stream_ends_when_its_job_is_deleted(client: TestClient, job_id: UUID) -> None:
    """There is nothing more to tell."""
    with soon(lambda: client.delete(f"/v1/jobs/{job_id}")):
        events = told(client, job_id)
    assert events[0][1] == "job.queued"
    assert is_problem(client.get(f"/v1/jobs/{job_id}/events"), 404, "job-not-found")


def test_a_poll_that_finds_nothing_new_is_304(client: TestClient, job_id: UUID) -> None:
    """Until the job changes."""
    url = f"/v1/jobs/{job_id}"
    tag = client.get(url).headers["etag"]
    again = client.get(url, headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(url, headers={"If-None-Match": f'"other", {tag}'}).status_code == 304
    finish(job_id)
    changed = client.get(url, headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag


def test_polls_of_a_job_that_runs_long_are_spaced(client: TestClient, job_id: UUID) -> None:
    """Young jobs may be asked for as often as one likes."""
    assert "retry-after" not in client.get(f"/v1/jobs/{job_id}").headers
    time.sleep(2.1)
    assert client.get(f"/v1/jobs/{job_id}").headers["retry-after"] == "1"


def test_a_queued_job_knows_its_place(client: TestClient, picture: bytes) -> None:
    """Those of the same caller that came before are before it; what has ended gives the pace."""
    first, second = (submit(client, picture, labels=["cat"], reuse="false").json()["id"] for _ in range(2))
    places = [client.get(f"/v1/jobs/{job}").json()["outlook"]["position"] for job in (first, second)]
    assert places[1] == places[0] + 1
    finish(UUID(first))
    assert client.get(f"/v1/jobs/{second}").json()["outlook"]["position"] == places[0]
    assert client.get(f"/v1/jobs/{first}").json()["outlook"] is None
