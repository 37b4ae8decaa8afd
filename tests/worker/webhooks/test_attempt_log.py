"""What an attempt leaves in the log."""

import json
import logging
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from structlog.contextvars import clear_contextvars

from db import logs
from db.settings import settings
from tests.worker.outgoing.server import Server, answer
from tests.worker.webhooks.receiving import PATH, secrets_of, url
from tests.worker.webhooks.test_deliverer import end_job, make_due, stored
from worker.webhooks.deliverer import Deliverer

SECRET_PATH = "/hook/in-the-path?code=in-the-query"


@pytest.fixture(autouse=True)
def as_json(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process logs as the one of webhooks does; afterwards as before."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    monkeypatch.setenv("MAINMASK_LOG_FORMAT", "json")
    settings.cache_clear()
    clear_contextvars()
    logs.configure()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    settings.cache_clear()
    clear_contextvars()


def told(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The lines on attempts since the last time."""
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    return [line for line in lines if line["logger"] == "worker.webhooks.attempt_log"]


def job_of(tenant: str, delivery_id: UUID) -> str:
    """Whose end it tells of."""
    return str(stored(tenant, delivery_id).job_id)


def test_an_attempt_that_succeeds_leaves_one_line(
    deliverer: Deliverer, receiver: Server, tenant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With all that tells it from others, the receiver's answer, and how long it took."""
    delivery_id = end_job(tenant, url(receiver))
    deliverer.deliver(delivery_id)
    (line,) = told(capsys)
    assert (
        line["event"]
        == f"webhook job.canceled to {receiver.host}:{receiver.port}: attempt 1 succeeded: it answered 200"
    )
    assert line["level"] == "info"
    assert (line["delivery_id"], line["job_id"]) == (str(delivery_id), job_of(tenant, delivery_id))
    assert (line["webhook_event"], line["attempt"], line["result"]) == ("job.canceled", 1, "succeeded")
    assert line["status_code"] == 200
    assert line["duration_ms"] == stored(tenant, delivery_id).tries[0].duration_ms


def test_each_attempt_that_fails_leaves_one_line(
    deliverer: Deliverer, receiver: Server, tenant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A warning, which says whether another one follows."""
    delivery_id = end_job(tenant, url(receiver))
    for status in (503, 410):
        receiver.answers[PATH] = answer(status=status)
        make_due(delivery_id)
        deliverer.deliver(delivery_id)
    lines = told(capsys)
    assert [(line["attempt"], line["status_code"], line["result"]) for line in lines] == [
        (1, 503, "retrying"),
        (2, 410, "disabled"),
    ]
    assert {line["level"] for line in lines} == {"warning"}


def test_an_attempt_without_an_answer_leaves_a_line_too(
    deliverer: Deliverer, tenant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a status, and with the cause."""
    deliverer.deliver(end_job(tenant, "http://127.0.0.1:9/hook"))
    (line,) = told(capsys)
    assert "status_code" not in line
    assert line["result"] == "failed"
    assert "port 9 is not allowed" in line["event"]


def test_neither_the_urls_secrets_nor_the_signature_are_told(
    deliverer: Deliverer, receiver: Server, tenant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the URL host and port alone: path, query and user are the receiver's own."""
    deliverer.deliver(end_job(tenant, url(receiver, SECRET_PATH)))
    with_user = f"http://user:in-the-authority@{receiver.host}:{receiver.port}/hook"
    deliverer.deliver(end_job(tenant, with_user))
    unreadable = "http://[in-the-authority/hook"
    deliverer.deliver(end_job(tenant, unreadable))
    written = capsys.readouterr().err
    assert written.count('"logger": "worker.webhooks.attempt_log"') == 3
    for secret in ("in-the-path", "in-the-query", "in-the-authority", *secrets_of(tenant)):
        assert secret not in written
