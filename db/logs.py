"""How this process logs: a line an event, as JSON for machines or in columns for people, and never a secret.

Whoever logs does so by the standard library's `logging`. What is bound by `structlog.contextvars` is in every line, and
`extra` may hold any of `FIELDS`.
"""

import logging
import re
import sys
from collections.abc import Sequence
from typing import Any

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

from db.settings import LogFormat, settings

FIELDS = (
    *("job_id", "stage", "attempt", "delivery_id"),
    *("webhook_event", "receiver", "result", "status_code", "duration_ms"),
)
"""What `extra` may add to a line. Libraries put whole messages there, arguments and all."""
TALKATIVE = (
    *("boto3", "botocore", "httpcore", "httpx", "kombu", "s3transfer", "sqlalchemy", "urllib3"),
    "celery.worker.strategy",
)
"""They tell whole requests, signatures and all, or that each message has come: only their warnings are for the log."""
OWN_HANDLERS = ("uvicorn", "uvicorn.access", "uvicorn.error")
"""Loggers that bring handlers of their own, which print in another form."""

SIGNED = r"X-(?:Amz|Goog)-(?:Signature|Credential|Security-Token)|sig|signature|(?:access_)?token|api_?key|password"
# What looks like a secret, and what is left of it. None of them goes past a quote: the line stays JSON.
SECRETS = (
    (re.compile(rf"([?&](?:{SIGNED})=)[^&\s\"'\\]+", re.IGNORECASE), r"\1[hidden]"),
    (re.compile(r"(\w://[^\s/:@\"']*:)[^\s/@\"']+@"), r"\1[hidden]@"),
    (re.compile(r"\b(mm_[0-9a-f]{32}_)[0-9a-f]+"), r"\1[hidden]"),
    (re.compile(r"\b(whsec_)[A-Za-z0-9+/=]+"), r"\1[hidden]"),
    (re.compile(r"\b(Bearer\s+)[^\s\"'\\]{8,}", re.IGNORECASE), r"\1[hidden]"),
)


class _Stderr(logging.StreamHandler[Any]):
    """Writes to what `sys.stderr` is by then."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> Any:
        """Asked for at each line."""
        return sys.stderr


def configure(level: int = logging.INFO) -> None:
    """Have all that this process logs, also by Celery and uvicorn, come in one form; it may be called again."""
    handler = _Stderr()
    handler.setFormatter(_formatter(settings().log_format))
    root = logging.getLogger()
    for former in [former for former in root.handlers if isinstance(former, _Stderr)]:
        root.removeHandler(former)
    root.addHandler(handler)
    root.setLevel(level)
    logging.captureWarnings(True)
    for name in OWN_HANDLERS:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


def _formatter(wanted: LogFormat) -> logging.Formatter:
    as_json = wanted is LogFormat.JSON or (wanted is LogFormat.AUTO and not sys.stderr.isatty())
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(FIELDS),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            *(_json() if as_json else _console()),
            _hide_secrets,
        ],
    )


def _json() -> Sequence[Processor]:
    return structlog.processors.format_exc_info, structlog.processors.JSONRenderer()


def _console() -> Sequence[Processor]:
    plain = structlog.dev.plain_traceback
    return (structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain, pad_event_to=0),)


def _hide_secrets(_: WrappedLogger, __: str, line: str | EventDict) -> str:
    """The last safeguard, over the whole line: nobody logs a secret, but libraries' errors quote what they like."""
    text = str(line)
    for secret, left in SECRETS:
        text = secret.sub(left, text)
    return text
