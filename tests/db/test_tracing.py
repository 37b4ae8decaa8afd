"""Traces where nobody collects them."""

import subprocess
import sys

import pytest
from opentelemetry import trace
from opentelemetry.trace import ProxyTracerProvider, SpanKind
from structlog.contextvars import clear_contextvars, get_contextvars

from db import tracing

CALLERS = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
WITHOUT_THE_EXTRA = """
import sys
sys.modules["opentelemetry.sdk.trace"] = None
from db import logs, tracing
logs.configure()
tracing.configure("worker")
with tracing.span("classify", None, tracing.SpanKind.CONSUMER, {}):
    pass
"""


@pytest.fixture(autouse=True)
def nobody_collects(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is unless the environment says otherwise."""
    for name in tracing.ENDPOINTS:
        monkeypatch.delenv(name, raising=False)
    tracing.configure.cache_clear()
    clear_contextvars()


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {tracing.ENDPOINTS[0]: ""},
        {tracing.ENDPOINTS[0]: "http://127.0.0.1:4318", "OTEL_SDK_DISABLED": "true"},
        {tracing.ENDPOINTS[1]: "http://127.0.0.1:4318/v1/traces", "OTEL_TRACES_EXPORTER": "none"},
    ],
    ids=lambda variables: " ".join(variables) or "none",
)
def test_nothing_is_recorded(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """No collector, or one that is switched off: spans hold nothing, jobs carry no trace, and lines name none."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    tracing.configure("api")
    assert isinstance(trace.get_tracer_provider(), ProxyTracerProvider)
    with tracing.span("classify", None, SpanKind.CONSUMER, {"mainmask.attempt": 1}) as span:
        assert not span.is_recording()
        assert tracing.traceparent() is None
        assert get_contextvars() == {}


def test_a_trace_goes_through_a_process_that_records_nothing() -> None:
    """A job's trace reaches its webhook, and the log, also where only other processes are traced."""
    with tracing.span("deliver", CALLERS, SpanKind.CLIENT, {}):
        assert tracing.headers() == {"traceparent": CALLERS}
        assert get_contextvars() == {"trace_id": CALLERS.split("-")[1]}
    assert tracing.traceparent() is None


@pytest.mark.parametrize("wrong", ["", "nonsense", "00-0-0-00", f"00-{'0' * 32}-{'0' * 16}-01"])
def test_what_is_no_trace_is_continued_by_a_new_one(wrong: str) -> None:
    """Nobody's job fails for it."""
    with tracing.span("classify", wrong, SpanKind.CONSUMER, {}):
        assert tracing.traceparent() is None


def test_a_collector_without_the_extra_is_told_of_and_harms_nothing() -> None:
    """The process runs on, and its log says what is missing."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_THE_EXTRA],
        env={tracing.ENDPOINTS[0]: "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "mainmask[otel]" in done.stderr
