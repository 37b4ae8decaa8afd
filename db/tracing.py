"""Traces, by OpenTelemetry: one a job, from its request through its stages to its webhooks.

A job's row carries its trace, as it carries all else: messages hold no data, and one that the sweep sends again comes
from nobody's request. Where no collector is named nothing is recorded, and what is called here does nothing.
"""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache, partial
from importlib.metadata import version

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, StatusCode, format_trace_id
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue
from structlog.contextvars import bind_contextvars

from db.errors import MainmaskError

logger = logging.getLogger(__name__)

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
"""The standard's own variables; with none of them there is no collector."""
TRACEPARENT = "traceparent"
"""The header of W3C Trace Context."""

_TRACER = trace.get_tracer("mainmask", version("mainmask"))
_PROPAGATOR = TraceContextTextMapPropagator()

part = partial(_TRACER.start_as_current_span, record_exception=False, set_status_on_exception=False)
"""A span within the current one, named by its argument: a context manager, or a decorator."""


@lru_cache
def configure(service: str) -> None:
    """Send this process's spans to the collector that the environment names, as those of `mainmask-SERVICE`.

    All else is OpenTelemetry's own to read from the environment: headers, sampling, attributes, another name.
    """
    if not any(os.environ.get(name) for name in ENDPOINTS) or _is_off():
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.resources import (  # noqa: PLC0415 - as above
            SERVICE_NAME,
            SERVICE_VERSION,
            OTELResourceDetector,
            Resource,
        )
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - as above
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - as above
    except ImportError:
        logger.warning("a collector of traces is named, but without mainmask[otel] nothing is sent there")
        return
    ours = Resource.create({SERVICE_NAME: f"mainmask-{service}", SERVICE_VERSION: version("mainmask")})
    provider = TracerProvider(resource=ours.merge(OTELResourceDetector().detect()))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


def _is_off() -> bool:
    return os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or os.environ.get("OTEL_TRACES_EXPORTER") == "none"


def traceparent() -> str | None:
    """What continues the current trace elsewhere; None where there is none."""
    return headers().get(TRACEPARENT)


def headers() -> dict[str, str]:
    """The same, as headers of a request."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return {name: value for name, value in carrier.items() if name == TRACEPARENT}


@contextmanager
def span(
    name: str, parent: str | None, kind: SpanKind, attributes: Mapping[str, AttributeValue | None]
) -> Iterator[Span]:
    """A span of the trace that `parent`, a `traceparent`, belongs to; of a trace of its own without one.

    Lines that are logged from then on name the trace. An error is named, not quoted: the log has it.
    """
    carrier = {TRACEPARENT: parent} if parent else {}
    with _TRACER.start_as_current_span(
        name,
        _PROPAGATOR.extract(carrier, Context()),
        kind,
        {key: value for key, value in attributes.items() if value is not None},
        record_exception=False,
        set_status_on_exception=False,
    ) as opened:
        bind_log()
        try:
            yield opened
        except Exception as error:
            fail(opened, error.code if isinstance(error, MainmaskError) else type(error).__qualname__)
            raise


def fail(failed: Span, error_type: str) -> None:
    """Mark the span as one that ended in this error."""
    failed.set_attribute("error.type", error_type)
    failed.set_status(StatusCode.ERROR)


def bind_log() -> None:
    """Have lines that are logged from now on name the current trace, if there is one."""
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        bind_contextvars(trace_id=format_trace_id(context.trace_id))
