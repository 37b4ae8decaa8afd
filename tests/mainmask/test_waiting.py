"""Waiting for a job: by its stream of events, and by asking where there is none; with both clients."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from mainmask import AsyncClient, Client, Job, JobFailed, JobTimedOut
from tests.mainmask.fake_service import JOB_ID, FakeService, document, event, event_stream, failed

CHANGE = event(10_002, "stage.running", stage="classify", status="running")
SUCCEEDED = event(100_000, "job.succeeded", status="succeeded", job=document())
FAILED = event(100_000, "job.failed", status="failed", job=failed())

Wait = Callable[..., Job]


@pytest.fixture(params=["blocking", "asyncio"])
def wait(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Wait:
    """Waits for the job at this service, with one of the two clients."""

    def blocking(service: FakeService, **options: Any) -> Job:
        with Client("http://service", transport=httpx.MockTransport(service)) as client:
            return client.wait(JOB_ID, **options)

    async def awaited(service: FakeService, **options: Any) -> Job:
        async with AsyncClient("http://service", transport=httpx.MockTransport(service)) as client:
            return await client.wait(JOB_ID, **options)

    if request.param == "blocking":
        return blocking
    return lambda service, **options: asyncio.run(awaited(service, **options))


def asked(service: FakeService) -> list[str]:
    """The ends of the paths of all requests."""
    return [request.url.path.rpartition("/")[2].replace(JOB_ID, "job") for request in service.requests]


def test_the_stream_tells_the_end(wait: Wait) -> None:
    """One question, one stream: no more is asked, however long it takes."""
    service = FakeService(document("queued"))
    service.events = event_stream(": still here\n\n", CHANGE, SUCCEEDED)
    assert wait(service).status == "succeeded"
    assert asked(service) == ["job", "events"]


def test_the_stream_tells_a_failure(wait: Wait) -> None:
    """With its cause."""
    service = FakeService(document("queued"))
    service.events = event_stream(FAILED)
    with pytest.raises(JobFailed, match="failed in detect: the GPU is full"):
        wait(service)


def test_changes_are_told_as_whole_jobs(wait: Wait) -> None:
    """Where the caller wants to know, the job is asked for at each change of a stage."""
    seen: list[Job] = []
    service = FakeService(document("queued"), document("running"))
    service.events = event_stream(event(1, "job.queued", status="queued"), CHANGE, SUCCEEDED)
    wait(service, on_change=seen.append)
    assert [job.status for job in seen] == ["queued", "running", "succeeded"]
    assert asked(service) == ["job", "events", "job"]


class Breaking(FakeService):
    """Its first stream breaks after a change; the second one goes on."""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/events"):
            again = "last-event-id" in request.headers
            broken = httpx.ReadTimeout("silence", request=request)
            self.events = event_stream(SUCCEEDED) if again else event_stream(CHANGE, broken)
        return super().__call__(request)


def test_a_stream_that_breaks_is_taken_up_again(wait: Wait, no_pauses: list[float]) -> None:
    """After the last event that came."""
    service = Breaking(document("running"))
    assert wait(service).status == "succeeded"
    assert asked(service) == ["job", "events", "job", "events"]
    assert service.requests[-1].headers["last-event-id"] == "10002"


@pytest.mark.parametrize(
    "answer",
    [
        lambda: httpx.Response(404),
        lambda: httpx.Response(200, text="<html>"),
        lambda: httpx.Response(200, headers={"content-type": "text/event-stream"}),
        lambda: httpx.ReadTimeout("held back by a proxy", request=httpx.Request("GET", "http://service")),
    ],
    ids=["none", "a page", "empty", "silent"],
)
def test_without_a_stream_it_asks(
    wait: Wait, no_pauses: list[float], answer: Callable[[], httpx.Response | Exception]
) -> None:
    """It tries for one once; then it asks until the end."""
    service = FakeService(document("queued"), document("running"), document())
    service.events = answer()
    assert wait(service).status == "succeeded"
    assert asked(service) == ["job", "events", "job", "job"]


@pytest.mark.parametrize("data", ["no JSON", "[]", '{"job": {"id": 7}}'])
def test_events_without_sense_are_no_end(wait: Wait, no_pauses: list[float], data: str) -> None:
    """What the stream says is not believed then; the service is asked."""
    service = FakeService(document("queued"), document())
    service.events = event_stream(f"id: 5\nevent: job.succeeded\ndata: {data}\n\n")
    assert wait(service).status == "succeeded"


def test_a_short_wait_does_without(wait: Wait) -> None:
    """A stream could be silent for longer than that: the deadline is kept by asking."""
    service = FakeService(document("running"))
    with pytest.raises(JobTimedOut):
        wait(service, timeout_seconds=0.2)
    assert "events" not in asked(service)


def test_the_key_goes_with_the_stream() -> None:
    """As with every request."""
    service = FakeService(document("queued"))
    service.events = event_stream(SUCCEEDED)
    with Client("http://service", api_key="mm_1_2", transport=httpx.MockTransport(service)) as client:
        client.wait(JOB_ID)
    assert [request.headers["authorization"] for request in service.requests] == ["Bearer mm_1_2"] * 2
