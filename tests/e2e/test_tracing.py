"""The trace of a job, as a collector gets it from the processes."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

import mainmask
from db.states import StageName
from mainmask.stack.ports import LOOPBACK
from tests.e2e.watched import Elsewhere, Watched, wait_until, watched

PICTURE = (Path(mainmask.__file__).parent / "sample" / "snowboard.jpg").read_bytes()
CALLERS_SPAN = "00f067aa0ba902b7"


@dataclass(frozen=True)
class Received:
    """A span; ids are hexadecimal."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, Any]
    is_error: bool
    said: str
    """All of it, as text."""


@dataclass
class Collector:
    """Takes spans by OTLP over HTTP."""

    spans: list[Received] = field(default_factory=list)
    url: str = ""

    @contextmanager
    def serving(self) -> Iterator["Collector"]:
        """Serve within the block."""
        spans = self.spans

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/v1/traces"
                spans.extend(_read(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Nobody reads it."""

        server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        self.url = f"http://{LOOPBACK}:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()

    def trace(self, trace_id: str) -> list[Received]:
        """Its spans so far."""
        return [span for span in self.spans if span.trace_id == trace_id]

    def whole(self, trace_id: str, *names: str) -> list[Received]:
        """Its spans once each of these names is there."""
        wait_until(lambda: {span.name for span in self.trace(trace_id)} >= set(names), 20)
        return self.trace(trace_id)


def _read(body: bytes) -> Iterator[Received]:
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        service = _values(resource.resource.attributes)["service.name"]
        for span in (span for scope in resource.scope_spans for span in scope.spans):
            ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
            yield Received(service, span.name, *ids, _values(span.attributes), span.status.code == 2, str(span))


def _values(attributes: Any) -> dict[str, Any]:
    return {found.key: getattr(found.value, found.value.WhichOneof("value")) for found in attributes}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """For the whole module."""
    with Collector().serving() as serving:
        yield serving


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Elsewhere]:
    """Takes webhooks."""
    with Elsewhere(PICTURE).serving() as serving:
        yield serving


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, collector: Collector, elsewhere: Elsewhere) -> Iterator[Watched]:
    """The service, traced."""
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "MAINMASK_LOG_FORMAT": "json",
        "MAINMASK_RESEND_AFTER_SECONDS": "1",
    }
    with watched(tmp_path_factory.mktemp("traced"), elsewhere, **variables) as running:
        yield running


def submitted(site: Watched, trace_id: str, picture: bytes = PICTURE, **fields: Any) -> dict[str, Any]:
    """A job whose caller traces it."""
    answer = httpx.post(
        f"{site.url}/v1/jobs",
        files={"image": picture},
        data={"labels": ["man", "snowboard"], **fields},
        headers={"traceparent": f"00-{trace_id}-{CALLERS_SPAN}-01"},
        trust_env=False,
    )
    document: dict[str, Any] = answer.raise_for_status().json()
    return document


def documented() -> set[str]:
    """The spans that docs/monitoring.md lists."""
    _, _, section = (Path(__file__).parents[2] / "docs" / "monitoring.md").read_text().partition("\n## Traces\n")
    first_cells = re.findall(r"^\| (`.+?`) \|", section, re.MULTILINE)
    return {name for cell in first_cells for name in re.findall(r"`([^`]+)`", cell)}


def test_one_trace_from_the_callers_span_to_the_webhook(
    site: Watched, collector: Collector, elsewhere: Elsewhere
) -> None:
    """The request continues the caller's trace, the stages and the webhook the request's; each says whose it is."""
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    job = submitted(site, trace_id, webhook_url=f"http://{elsewhere.address}/hook")
    found = {span.name: span for span in collector.whole(trace_id, "POST /v1/jobs", *StageName, "deliver")}
    assert found.keys() == documented()
    request = found["POST /v1/jobs"]
    assert (request.service, request.parent_id) == ("mainmask-api", CALLERS_SPAN)
    assert request.attributes["http.response.status_code"] == 202
    for name in StageName:
        assert (found[name].service, found[name].parent_id) == ("mainmask-worker", request.span_id)
        assert found[name].attributes["mainmask.job.id"] == job["id"]
        assert found[name].attributes["mainmask.attempt"] == 1
    assert found["store pictures"].parent_id == found["segment"].span_id
    delivery = found["deliver"]
    assert (delivery.service, delivery.parent_id) == ("mainmask-webhooks", request.span_id)
    assert delivery.attributes["http.response.status_code"] == 204
    assert elsewhere.headers[-1]["traceparent"] == f"00-{trace_id}-{delivery.span_id}-01"
    assert not any(span.is_error for span in found.values())
    assert f'"trace_id": "{trace_id}"' in site.logs()["worker"]
    assert f'"trace_id": "{trace_id}"' in site.logs()["api"]


def test_a_message_that_is_sent_again_is_in_the_jobs_trace(site: Watched, collector: Collector) -> None:
    """The sweep knows nothing of the request; the job's row does."""
    trace_id = "5bf92f3577b34da6a3ce929d0e0e4736"
    site.process("worker").stop()
    job = submitted(site, trace_id, reuse="false")
    redis.Redis.from_url(site.environment["MAINMASK_REDIS_URL"]).flushall()
    site.process("worker").start()
    site.process("worker").wait_until_ready()
    assert site.ended(job)["status"] == "succeeded"
    assert "its message seems lost, and is sent again" in site.logs()["maintenance"]
    collector.whole(trace_id, *StageName)


def test_a_stage_that_fails_says_by_what(site: Watched, collector: Collector) -> None:
    """Its span is an error, by the error's stable name; no text of it leaves the service."""
    trace_id = "6bf92f3577b34da6a3ce929d0e0e4736"
    site.ended(submitted(site, trace_id, PICTURE[: len(PICTURE) // 2]))
    (failed,) = (span for span in collector.whole(trace_id, "classify") if span.name == "classify")
    assert failed.is_error
    assert failed.attributes["error.type"] == "invalid-image"
    assert {"acquire image", "classify"} <= {span.name for span in collector.trace(trace_id)}
    assert not any("truncated" in span.said for span in collector.trace(trace_id))


def test_probes_and_scrapes_are_in_no_trace(site: Watched, collector: Collector) -> None:
    """One every few seconds would drown the others."""
    trace_id = "7bf92f3577b34da6a3ce929d0e0e4736"
    traced = {"traceparent": f"00-{trace_id}-{CALLERS_SPAN}-01"}
    for path in ("/healthz", "/readyz", "/metrics", "/v1/jobs"):
        httpx.get(f"{site.url}{path}", headers=traced, trust_env=False)
    assert [span.name for span in collector.whole(trace_id, "GET /v1/jobs")] == ["GET /v1/jobs"]
