"""The client's requests, answers and errors, against a hand-written service."""

import io
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from mainmask import (
    BadApiKey,
    BadServiceUrl,
    Client,
    Job,
    JobFailed,
    JobNotFound,
    JobTimedOut,
    KeyRefused,
    MainmaskError,
    QuotaExceeded,
    RequestRejected,
    ServiceBusy,
    ServiceUnreachable,
    UnexpectedAnswer,
)
from mainmask.options import SubmitOptions
from tests.mainmask.fake_service import JOB_ID, FakeService, document, failed, not_found, problem


def client_of(service: FakeService) -> Client:
    """A client whose requests go to this service."""
    return Client("http://service", transport=httpx.MockTransport(service))


def body_of(service: FakeService) -> str:
    """What the first request carried."""
    return service.requests[0].read().decode()


def test_submit_sends_the_image_and_the_description() -> None:
    """A submission is one multipart form, and its answer is the job as it was accepted."""
    service = FakeService()
    job = client_of(service).submit(b"image bytes", "a man on a snowboard")
    assert (job.id, job.status, job.ended) == (JOB_ID, "queued", False)
    assert 'name="image"; filename="image"' in body_of(service)
    assert "image bytes" in body_of(service)
    assert 'name="description"\r\n\r\na man on a snowboard' in body_of(service)


def test_submit_sends_labels_one_by_one() -> None:
    """Labels are a repeated field, and metadata is JSON."""
    service = FakeService()
    client_of(service).submit(b"", labels=["man", "snowboard"], instances="all", metadata={"shelf": 7})
    assert body_of(service).count('name="labels"') == 2
    assert 'name="description"' not in body_of(service)
    assert 'name="instances"\r\n\r\nall' in body_of(service)
    assert 'name="metadata"\r\n\r\n{"shelf": 7}' in body_of(service)


def test_submit_names_the_webhook() -> None:
    """Its URL, and each event that is wanted."""
    service = FakeService()
    url = "https://example.com/hook"
    client_of(service).submit(b"", "a cat", webhook_url=url, webhook_events=["job.succeeded", "job.failed"])
    assert f'name="webhook_url"\r\n\r\n{url}' in body_of(service)
    assert body_of(service).count('name="webhook_events"') == 2


@pytest.mark.parametrize("kind", ["path", "text", "file"])
def test_an_image_may_be_a_path_or_an_open_file(kind: str, tmp_path: Path) -> None:
    """All ways to name an image send the same bytes."""
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"image bytes")
    service = FakeService()
    image: Any = {"path": path, "text": str(path), "file": io.BytesIO(b"image bytes")}[kind]
    client_of(service).submit(image, "a man")
    assert "image bytes" in body_of(service)


def test_an_image_that_is_not_there_is_the_usual_error(tmp_path: Path) -> None:
    """A path that cannot be read raises what Python raises for it, and sends nothing."""
    service = FakeService()
    with pytest.raises(FileNotFoundError):
        client_of(service).submit(tmp_path / "none.jpg", "a man")
    assert service.requests == []


def test_wait_returns_the_result(no_pauses: list[float]) -> None:
    """The result's numbers can be read as attributes, and the rest as the service's own document."""
    job = client_of(FakeService(document("queued"), document("running"), document())).wait(JOB_ID)
    assert job.result is not None
    assert job.result.main_object is not None
    assert (job.result.found, job.result.main_object.label) == (True, "snowboard")
    assert job.result.instances[0].box == (212.0, 310.5, 401.2, 377.9)
    assert job.result.instances[0].predicted_iou == 0.93
    assert [stage.duration_ms for stage in job.stages] == [41, 41, 41]
    assert job.document["result"]["models"][0]["license"] == "Apache-2.0"


def test_finding_nothing_is_a_result(no_pauses: list[float]) -> None:
    """A main object that is not in the picture is an answer, not an error."""
    job = client_of(FakeService(not_found())).wait(JOB_ID)
    assert job.result is not None
    assert (job.result.found, job.result.instances) == (False, ())


def test_wait_tells_each_change_once(no_pauses: list[float]) -> None:
    """Two equal answers are one change, although presigned URLs differ from answer to answer."""
    seen: list[Job] = []
    service = FakeService(document("queued"), document("queued", metadata={"url": "new"}), document())
    client_of(service).wait(JOB_ID, on_change=seen.append)
    assert [job.status for job in seen] == ["queued", "succeeded"]


def test_wait_asks_ever_more_rarely(no_pauses: list[float]) -> None:
    """The pauses grow, up to two seconds."""
    client_of(FakeService(*[document("running")] * 20, document())).wait(JOB_ID)
    assert no_pauses == sorted(no_pauses)
    assert (no_pauses[0], no_pauses[-1]) == (0.1, 2.0)


def test_wait_honours_retry_after(no_pauses: list[float]) -> None:
    """The service's own wish for a pause goes before ours."""
    busy = httpx.Response(200, json=document("running"), headers={"retry-after": "7"})
    client_of(FakeService(busy, document())).wait(JOB_ID)
    assert no_pauses == [7.0]


def test_wait_outlasts_a_short_silence(no_pauses: list[float]) -> None:
    """A service that is starting again does not end the wait."""
    away = httpx.ConnectError("refused", request=httpx.Request("GET", "http://service"))
    unavailable = problem(503, "database-unavailable", "The database is unavailable.", **{"retry-after": "5"})
    job = client_of(FakeService(document("running"), away, unavailable, document())).wait(JOB_ID)
    assert job.status == "succeeded"
    assert no_pauses[-1] == 5.0


@pytest.mark.parametrize("status", ["failed", "canceled"])
def test_wait_raises_what_ended_otherwise(status: str, no_pauses: list[float]) -> None:
    """A job without a result is an error that carries the job."""
    with pytest.raises(JobFailed) as caught:
        client_of(FakeService(document(status))).wait(JOB_ID)
    assert caught.value.job.status == status


def test_a_failed_job_says_where_and_why(no_pauses: list[float]) -> None:
    """The message names the stage and the cause."""
    with pytest.raises(JobFailed, match="failed in detect: the GPU is full"):
        client_of(FakeService(failed())).segment(b"", "a man")


def test_wait_gives_up() -> None:
    """A job that has not ended in time raises, after at least one answer."""
    with pytest.raises(JobTimedOut, match="not ended after 0 s"):
        client_of(FakeService(document("running"))).wait(JOB_ID, timeout_seconds=0)


def test_download_follows_to_the_storage() -> None:
    """A picture comes from where the service redirects to."""
    assert client_of(FakeService()).download(JOB_ID, "cutout", instance=2) == b"/storage/cutout/2"


def test_a_rejection_carries_the_problem() -> None:
    """The fields of the problem document are the error's."""
    service = FakeService()
    service.accepted = problem(422, "invalid-image", "The image cannot be read.")
    with pytest.raises(RequestRejected) as caught:
        client_of(service).submit(b"", "a man")
    error = caught.value
    assert (error.status, error.title, error.detail) == (422, "Refused", "The image cannot be read.")
    assert error.type.endswith("/invalid-image")
    assert str(error) == "The image cannot be read."


def test_no_such_job() -> None:
    """The service's word for an unknown job is an error of its own."""
    with pytest.raises(JobNotFound, match=JOB_ID):
        client_of(FakeService(problem(404, "job-not-found", "There is no such job."))).get(JOB_ID)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(404, text="<html>another server's page"),
        httpx.Response(200, text="<html>another server's page"),
        httpx.Response(200, json={"id": JOB_ID}),
        httpx.Response(200, json=[]),
        problem(500, "internal-server-error", "A bug."),
    ],
)
def test_an_answer_without_sense(answer: httpx.Response) -> None:
    """What is no answer of a working service is told apart from a rejection."""
    with pytest.raises(UnexpectedAnswer, match="http://service/v1/jobs"):
        client_of(FakeService(answer)).get(JOB_ID)


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ReadTimeout, httpx.RemoteProtocolError])
def test_a_broken_network(error: type[httpx.TransportError], no_pauses: list[float]) -> None:
    """No error of httpx reaches the caller, and the message names the address."""
    broken = error("broken", request=httpx.Request("GET", "http://service/v1/jobs"))
    with pytest.raises(ServiceUnreachable, match="http://service cannot be reached: broken"):
        client_of(FakeService(broken)).get(JOB_ID)


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://service", "http://", "http://service:port", "service"])
def test_a_wrong_address(url: str) -> None:
    """What is no http URL is refused at once."""
    with pytest.raises(BadServiceUrl):
        Client(url)


def test_the_address_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an address of its own the client takes MAINMASK_URL, also with a path in front."""
    monkeypatch.setenv("MAINMASK_URL", "http://elsewhere/prefix/")
    service = FakeService()
    with Client(transport=httpx.MockTransport(service)) as client:
        client.submit(b"", "a man")
    assert str(service.requests[0].url) == "http://elsewhere/prefix/v1/jobs"


def test_an_id_cannot_lead_elsewhere() -> None:
    """A job's id is only ever one segment of the path."""
    service = FakeService(document())
    with pytest.raises((MainmaskError, KeyError)):
        client_of(service).get("../../admin?x=")
    assert service.requests[0].url.raw_path == b"/v1/jobs/..%2F..%2Fadmin%3Fx%3D"


def test_one_base_class() -> None:
    """Whoever catches MainmaskError catches all of the client's errors."""
    errors = [BadServiceUrl, JobFailed, JobNotFound, JobTimedOut, RequestRejected, ServiceUnreachable, UnexpectedAnswer]
    errors += [BadApiKey, KeyRefused, QuotaExceeded, ServiceBusy]
    assert all(issubclass(error, MainmaskError) for error in errors)


@pytest.mark.parametrize("given", ["argument", "environment"])
def test_the_key_is_sent_to_the_service_alone(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not on to the storage: there it would leak, and S3 refuses it beside a presigned URL; not even at one address."""
    service = FakeService()
    if given == "environment":
        monkeypatch.setenv("MAINMASK_API_KEY", "mm_1_2\n")
    key = "mm_1_2" if given == "argument" else None
    with Client("http://service", api_key=key, transport=httpx.MockTransport(service)) as client:
        client.submit(b"", "a man")
        client.download(JOB_ID, "mask")
    asked, stored = service.requests[:-1], service.requests[-1]
    assert [request.headers["authorization"] for request in asked] == ["Bearer mm_1_2"] * 2
    assert stored.url.path.startswith("/storage/")
    assert "authorization" not in stored.headers


def test_without_a_key_nothing_is_sent_of_one() -> None:
    """No empty header."""
    service = FakeService()
    client_of(service).get(JOB_ID)
    assert "authorization" not in service.requests[0].headers


@pytest.mark.parametrize("key", ["mm 1", "mm_\u00e9", "a\nb"])
def test_what_can_be_no_key(key: str) -> None:
    """It is refused at once, and the message doesn't repeat it."""
    with pytest.raises(BadApiKey) as caught:
        Client("http://service", api_key=key)
    assert key not in str(caught.value)


@pytest.mark.parametrize(("status", "code"), [(401, "unauthenticated"), (403, "scope-missing")])
def test_a_key_that_is_refused(status: int, code: str) -> None:
    """A rejection of its own kind."""
    with pytest.raises(KeyRefused, match="Not with this key"):
        client_of(FakeService(problem(status, code, "Not with this key"))).get(JOB_ID)


def test_over_quota_and_a_full_queue_say_when_to_come_back(no_pauses: list[float]) -> None:
    """Two errors that time mends."""
    service = FakeService()
    service.accepted = problem(429, "quota-exceeded", "No more.", **{"retry-after": "42"})
    with pytest.raises(QuotaExceeded, match="No more") as over:
        client_of(service).submit(b"", "a man")
    service.accepted = problem(503, "queue-full", "Too many.", **{"retry-after": "5"})
    with pytest.raises(ServiceBusy, match="is busy: Too many") as busy:
        client_of(service).submit(b"", "a man")
    assert (over.value.retry_after_seconds, busy.value.retry_after_seconds) == (42.0, 5.0)


def test_wait_outlasts_a_quota(no_pauses: list[float]) -> None:
    """Who asks too often is told when to ask again, and does."""
    over = problem(429, "quota-exceeded", "No more.", **{"retry-after": "7"})
    job = client_of(FakeService(document("running"), over, document())).wait(JOB_ID)
    assert job.status == "succeeded"
    assert no_pauses[-1] == 7.0


def test_an_image_by_its_url_goes_as_json() -> None:
    """Without a file there is no form; the options and the key go along."""
    service = FakeService()
    options: SubmitOptions = {"image_url": "https://example.com/cat.jpg", "outputs": ["mask"], "priority": "low"}
    client_of(service).submit(description="a cat", idempotency_key="order-7", **options)
    assert json.loads(body_of(service)) == {**options, "description": "a cat"}
    assert service.requests[0].headers["idempotency-key"] == "order-7"


@pytest.mark.parametrize(
    ("image", "options"),
    [(None, {}), (b"x", {"image_url": "https://example.com/cat.jpg"})],
    ids=["neither", "both"],
)
def test_an_image_or_its_url(image: bytes | None, options: SubmitOptions) -> None:
    """One of them; the mistake is told before anything is sent."""
    service = FakeService()
    with pytest.raises(ValueError, match="either an image or its URL"):
        client_of(service).submit(image, "a cat", **options)
    assert not service.requests
