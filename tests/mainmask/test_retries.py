"""When a request is sent again: the decision, and what the client makes of it."""

import httpx
import pytest

from mainmask import Client, MainmaskError, QuotaExceeded, RequestRejected, Retries, ServiceBusy, ServiceUnreachable
from mainmask.retries import NONE, SPREAD
from tests.mainmask.fake_service import JOB_ID, FakeService, document, problem

SILENT = ServiceUnreachable("http://service", "broken")
AWAY_FOR_5_S = ServiceUnreachable("http://service", "starting", 5.0)
BUSY_FOR_7_S = ServiceBusy("http://service", "full", 7.0)
OVER_FOR_7_S = QuotaExceeded({"status": 429}, 7.0)
REJECTED = RequestRejected({"status": 422})


@pytest.mark.parametrize(
    ("error", "attempt", "paused", "least"),
    [
        (SILENT, 0, 0.0, 0.2),
        (SILENT, 2, 0.6, 0.8),
        (SILENT, 3, 1.4, None),
        (AWAY_FOR_5_S, 0, 0.0, None),
        (BUSY_FOR_7_S, 0, 0.0, 7.0),
        (OVER_FOR_7_S, 0, 0.0, 7.0),
        (OVER_FOR_7_S, 3, 24.0, None),
        (REJECTED, 0, 0.0, None),
        (MainmaskError("?"), 0, 0.0, None),
    ],
)
def test_the_decision(error: MainmaskError, attempt: int, paused: float, least: float | None) -> None:
    """Silence is met with growing pauses, `Retry-After` with that; both within their patience, and nothing else is."""
    pause = Retries().pause_seconds(error, attempt, paused)
    if least is None:
        assert pause is None
    else:
        assert pause is not None
        assert least <= pause <= least * (1 + SPREAD)


@pytest.mark.parametrize("error", [SILENT, BUSY_FOR_7_S, OVER_FOR_7_S])
def test_no_patience_is_none(error: MainmaskError) -> None:
    """Not even for one more attempt."""
    assert NONE.pause_seconds(error, 0, 0.0) is None


class Flaky(FakeService):
    """Breaks the first two connections."""

    def __init__(self, broken: httpx.Response | Exception) -> None:
        super().__init__()
        self.broken = [broken, broken]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        if not self.broken:
            return super().__call__(request)
        self.requests.append(request)
        broken = self.broken.pop()
        if isinstance(broken, Exception):
            raise broken
        return broken


SILENCE = httpx.ReadError("reset", request=httpx.Request("POST", "http://service/v1/jobs"))
BUSY = problem(503, "queue-full", "Too many.", **{"retry-after": "3"})


@pytest.mark.parametrize("broken", [SILENCE, BUSY, problem(503, "storage-unavailable", "Away.")])
def test_a_submission_is_sent_again_as_the_same(broken: httpx.Response | Exception, no_pauses: list[float]) -> None:
    """With the same key, whether the caller has given one or not, and with the whole picture each time."""
    for given in ("order-7", None):
        service = Flaky(broken)
        with Client("http://service", transport=httpx.MockTransport(service)) as client:
            assert client.submit(b"image bytes", "a man", idempotency_key=given).id == JOB_ID
        keys = {request.headers["idempotency-key"] for request in service.requests}
        assert len(service.requests) == 3
        assert len(keys) == 1
        assert given is None or keys == {given}
        assert all(b"image bytes" in request.content for request in service.requests)


def test_two_submissions_are_two() -> None:
    """Each has a key of its own."""
    service = FakeService()
    with Client("http://service", transport=httpx.MockTransport(service)) as client:
        client.submit(b"", "a man")
        client.submit(b"", "a man")
    assert len({request.headers["idempotency-key"] for request in service.requests}) == 2


@pytest.mark.parametrize(("broken", "sent"), [(SILENCE, 1), (BUSY, 3)])
def test_what_must_not_happen_twice(broken: httpx.Response | Exception, sent: int, no_pauses: list[float]) -> None:
    """A retry of a job is sent again where the service has said that it did nothing, and not after a silence."""
    service = Flaky(broken)
    service.accepted = httpx.Response(200, json=document("queued"))
    with Client("http://service", transport=httpx.MockTransport(service)) as client:
        if sent == 1:
            with pytest.raises(ServiceUnreachable):
                client.retry(JOB_ID)
        else:
            client.retry(JOB_ID)
    assert len(service.requests) == sent
