"""Callers who listen: a job's server-sent events."""

import json
import re
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.exc import OperationalError

from api import event_stream, waiting
from db import claims, jobs
from db.claims import Holder
from db.session import session_factory
from db.states import StageName
from tests.api.answers import is_problem
from tests.api.finished import fail, finish
from tests.api.soon import soon


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


def test_a_stream_ends_when_its_job_is_deleted(client: TestClient, job_id: UUID) -> None:
    """There is nothing more to tell."""
    with soon(lambda: client.delete(f"/v1/jobs/{job_id}")):
        events = told(client, job_id)
    assert events[0][1] == "job.queued"
    assert is_problem(client.get(f"/v1/jobs/{job_id}/events"), 404, "job-not-found")
