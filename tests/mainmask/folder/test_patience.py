"""A run and a service that is busy, away, broken, or something else: against a hand-written one."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from mainmask import AsyncClient, KeyRefused, MainmaskError, ServiceUnreachable, UnexpectedAnswer
from mainmask.folder.manifest import Manifest, Row
from mainmask.folder.pictures import Picture
from mainmask.folder.run import PATIENCE, Run
from mainmask.folder.words import Words
from tests.mainmask.fake_service import FakeService, document, event, event_stream, not_found, problem

Go = Callable[..., list[Row]]
sleep = asyncio.sleep
BUSY = problem(503, "queue-full", "Too many.", **{"retry-after": "600"})
OVER = problem(429, "quota-exceeded", "No more.", **{"retry-after": "86400"})
AWAY = problem(503, "database-unavailable", "Away.")


class Service(FakeService):
    """Refuses the first submissions, then takes them; its jobs end at once."""

    def __init__(self, *refusals: httpx.Response) -> None:
        super().__init__(document("queued"))
        self.refusals = list(refusals)
        self.most_in_flight = self.in_flight = 0
        self.end = document()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            if self.refusals:
                return self.refusals.pop(0)
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
        if request.url.path.endswith("/events"):
            self.in_flight -= 1
            self.events = event_stream(event(100_000, f"job.{self.end['status']}", job=self.end))
        return super().__call__(request)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Nothing sleeps, but for a moment; how long it would have is noted."""
    noted: list[float] = []

    async def note(seconds: float) -> None:
        noted.append(seconds)
        await sleep(0)

    monkeypatch.setattr("mainmask.network.asyncio.sleep", note)
    return noted


@pytest.fixture
def go(tmp_path: Path) -> Go:
    """Works twenty pictures through a service; what the manifest holds then, or the error."""

    def run(service: FakeService, **options: Any) -> list[Row]:
        pictures = [Picture(f"{number}.jpg", tmp_path / f"{number}.jpg") for number in range(20)]
        for picture in pictures:
            picture.path.write_bytes(picture.name.encode())
        told: dict[str, Any] = {
            "jobs": 3,
            "retry_failed": False,
            "timeout_seconds": 60.0,
            "on_done": lambda _: None,
        } | options

        async def answer(request: httpx.Request) -> httpx.Response:
            response = service(request)
            # Long enough for other tasks to send theirs.
            await sleep(0.002)
            return response

        async def work(manifest: Manifest) -> None:
            transport = httpx.MockTransport(answer)
            async with AsyncClient("http://service", retries=PATIENCE, transport=transport) as client:
                out = tmp_path / "out"
                work = Run(client=client, manifest=manifest, out=out, options={"outputs": ["mask"]}, **told)
                await work.work_through((picture, Words("a man")) for picture in pictures)

        with Manifest.opened(tmp_path / "out" / "manifest.jsonl") as manifest:
            asyncio.run(work(manifest))
            return list(manifest.rows.values())

    return run


def lines(tmp_path: Path) -> list[Any]:
    """The manifest's, as they are in the file."""
    return [json.loads(line) for line in (tmp_path / "out" / "manifest.jsonl").read_text().splitlines()]


def test_no_more_are_in_flight_than_said(go: Go) -> None:
    """As many as that, and each picture is dealt with."""
    service = Service()
    rows = go(service)
    assert {row.status for row in rows} == {"succeeded"}
    assert (len(rows), service.most_in_flight) == (20, 3)


@pytest.mark.parametrize(("refusal", "least"), [(BUSY, 600.0), (OVER, 86400.0)])
def test_it_comes_back_when_it_is_told_to(go: Go, pauses: list[float], refusal: httpx.Response, least: float) -> None:
    """However late that is; no picture fails for it."""
    rows = go(Service(*[refusal] * 5))
    assert [row.status for row in rows] == ["succeeded"] * 20
    assert [pause >= least for pause in pauses] == [True] * 5


def test_a_short_outage_is_outlasted(go: Go, pauses: list[float]) -> None:
    """A service that starts again is waited for."""
    assert len(go(Service(*[AWAY] * 6))) == 20
    assert 0 < sum(pauses) < 3 * 60 * 1.25


def test_a_long_outage_ends_the_run(go: Go, pauses: list[float], tmp_path: Path) -> None:
    """No picture is listed for what is not its fault; the next run goes on."""
    with pytest.raises(ServiceUnreachable):
        go(Service(*[AWAY] * 1000))
    assert lines(tmp_path) == []
    assert len(go(Service())) == 20


@pytest.mark.parametrize(
    ("answer", "error"),
    [(problem(401, "unauthenticated", "No."), KeyRefused), (httpx.Response(200, text="<html>"), UnexpectedAnswer)],
)
def test_what_all_would_meet_ends_the_run(
    go: Go, tmp_path: Path, answer: httpx.Response, error: type[MainmaskError]
) -> None:
    """A wrong key, or something else at that address: at the first picture."""
    service = Service()
    service.accepted = answer
    with pytest.raises(error):
        go(service)
    assert lines(tmp_path) == []


def test_an_error_of_the_service_s_own_is_one_picture_s(go: Go) -> None:
    """It is listed; the others go on."""
    rows = go(Service(problem(500, "internal", "Oops.")), jobs=1)
    assert [row.error_type for row in rows] == ["internal"] + [None] * 19


def test_a_job_that_takes_too_long(go: Go) -> None:
    """It is listed with its id, so that --retry-failed can look after it."""
    rows = go(FakeService(document("running")), timeout_seconds=0.0)
    assert {(row.error_type, row.job_id) for row in rows} == {("timed-out", document()["id"])}


def test_nothing_found_is_an_answer(go: Go) -> None:
    """It isn't asked again."""
    service = Service()
    service.end = not_found()
    assert {(row.status, row.outcome, row.box) for row in go(service)} == {("succeeded", "not_found", None)}
    asked = len(service.requests)
    go(service, retry_failed=True)
    assert len(service.requests) == asked
