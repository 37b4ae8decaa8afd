"""Webhooks at a receiver: believed when they are signed, and read."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from mainmask import BadWebhook
from mainmask.webhooks import verify_webhook
from tests.mainmask.fake_service import JOB_ID, document
from worker.webhooks import message

SECRET, OTHER = ("whsec_" + base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))
EVENT_ID = uuid7()


def body(**changes: Any) -> bytes:
    """What is sent when a job has succeeded."""
    event = {"type": "job.succeeded", "timestamp": "2026-01-01T10:00:00.123456Z", "data": document()}
    return json.dumps(event | changes).encode()


def signed(payload: bytes, *secrets: str, age: timedelta = timedelta()) -> dict[str, str]:
    """The headers that the worker would send."""
    return message.headers(EVENT_ID, payload, secrets or (SECRET,), datetime.now(UTC) - age)


def test_a_genuine_one_is_read() -> None:
    """Its id, what happened and when, and the job; also while the secret is rotated, and from headers in any case."""
    for headers in (signed(body()), signed(body(), OTHER, SECRET)):
        for given in (headers, {name.lower(): value for name, value in headers.items()}):
            event = verify_webhook(body(), given, SECRET)
            assert (event.id, event.type) == (str(EVENT_ID), "job.succeeded")
            assert event.happened_at == datetime(2026, 1, 1, 10, 0, 0, 123456, UTC)
            assert event.job is not None
            assert event.job.id == JOB_ID


def test_a_batch_has_no_job() -> None:
    """Its document is the data."""
    payload = body(type="batch.completed", data={"id": "b", "total": 2})
    event = verify_webhook(payload.decode(), signed(payload), SECRET)
    assert (event.job, event.data["total"]) == (None, 2)


def untrustworthy() -> Iterator[tuple[bytes, dict[str, str]]]:
    """Signed now: a list of parameters would be as old as the session."""
    yield body() + b" ", signed(body())
    yield body(), signed(body(), OTHER)
    yield body(), signed(body(), age=timedelta(minutes=6))
    yield body(), signed(body(), age=timedelta(minutes=-6))
    yield body(), {}
    for name, value in (
        ("webhook-signature", "nonsense"),
        ("webhook-signature", "v1,nonsense"),
        ("webhook-timestamp", "soon"),
    ):
        yield body(), {**{given.lower(): text for given, text in signed(body()).items()}, name: value}
    yield b"\xff", signed(body())
    for nonsense in (b"[]", b"no JSON", body(data={})):
        yield nonsense, signed(nonsense)


def test_what_is_not_to_be_trusted() -> None:
    """Changed, signed otherwise, too old, too new, or without sense: one error for all."""
    for payload, headers in untrustworthy():
        with pytest.raises(BadWebhook):
            verify_webhook(payload, headers, SECRET)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_é"])
def test_what_is_no_secret(secret: str) -> None:
    """The receiver's own mistake, which is not the sender's."""
    with pytest.raises(ValueError, match="The webhook secret is none"):
        verify_webhook(body(), signed(body()), secret)
