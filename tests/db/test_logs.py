"""The lines that a process logs."""

import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from structlog.contextvars import bound_contextvars, clear_contextvars

from db import logs
from db.settings import settings

logger = logging.getLogger("tests.logs")


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """Puts back what `configure` changes."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    levels = {name: logging.getLogger(name).level for name in logs.TALKATIVE}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, former in levels.items():
        logging.getLogger(name).setLevel(former)
    logging.captureWarnings(False)
    settings.cache_clear()


def configured(monkeypatch: pytest.MonkeyPatch, log_format: str = "json", level: int = logging.INFO) -> None:
    """This process logs so."""
    monkeypatch.setenv("MAINMASK_LOG_FORMAT", log_format)
    settings.cache_clear()
    logs.configure(level)


def written(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Every line since the last time."""
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_has_its_fields(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Those that are bound, and those of `extra` that are known; libraries' others are not."""
    configured(monkeypatch)
    clear_contextvars()  # tasks that other tests called have bound theirs
    with bound_contextvars(request_id="r1"):
        logger.warning("%s is late", "it", extra={"job_id": "j1", "data": {"args": "a whole message"}})
    (line,) = written(capsys)
    del line["timestamp"]
    assert line == {
        "event": "it is late",
        "level": "warning",
        "logger": "tests.logs",
        "request_id": "r1",
        "job_id": "j1",
    }


def test_a_traceback_is_in_its_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """However many lines it has itself."""
    configured(monkeypatch)
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        logger.exception("wrong")
    (line,) = written(capsys)
    assert "ZeroDivisionError: division by zero" in line["exception"]


def test_configured_again_it_says_things_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Celery sets its logs up after we did."""
    configured(monkeypatch)
    configured(monkeypatch)
    logger.info("here")
    assert [line["event"] for line in written(capsys)] == ["here"]


@pytest.mark.parametrize(("log_format", "is_terminal"), [("auto", True), ("console", False)])
def test_people_get_columns(
    log_format: str, is_terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the standard error is a terminal, or they ask for it."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
    configured(monkeypatch, log_format)
    logger.info("here", extra={"job_id": "j1"})
    line = capsys.readouterr().err
    assert "here" in line
    assert not line.startswith("{")


def test_machines_get_json_unasked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the standard error is no terminal."""
    configured(monkeypatch, "auto")
    logger.info("here")
    assert written(capsys)[0]["event"] == "here"


def test_libraries_tell_no_requests_even_when_all_is_logged(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only their warnings."""
    configured(monkeypatch, level=logging.DEBUG)
    for name in logs.TALKATIVE:
        logging.getLogger(f"{name}.connections").info("Authorization: AWS4-HMAC-SHA256 Credential=…")
    logging.getLogger("botocore.hooks").warning("a warning")
    logger.debug("our own")
    assert [line["event"] for line in written(capsys)] == ["a warning", "our own"]


@pytest.mark.parametrize(
    ("said", "left"),
    [
        (
            "GET http://s3/b/k?X-Amz-Credential=AKIA%2F1&X-Amz-Date=2&X-Amz-Signature=ab12 failed",
            "GET http://s3/b/k?X-Amz-Credential=[hidden]&X-Amz-Date=2&X-Amz-Signature=[hidden] failed",
        ),
        ("https://x.blob/c/cat.png?sv=1&sig=a%2Bb%3D", "https://x.blob/c/cat.png?sv=1&sig=[hidden]"),
        ('"http://h/cat.png?token=abc"', '"http://h/cat.png?token=[hidden]"'),
        ("redis://:pass@h:1/0", "redis://:[hidden]@h:1/0"),
        ("postgresql+psycopg://user:pa:ss@h/db", "postgresql+psycopg://user:[hidden]@h/db"),
        (f"key mm_{'0' * 32}_{'f' * 64} of", f"key mm_{'0' * 32}_[hidden] of"),
        ("secret whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw==", "secret whsec_[hidden]"),
        ("{'authorization': 'Bearer abcdefgh12345678'}", "{'authorization': 'Bearer [hidden]'}"),
    ],
)
def test_what_looks_like_a_secret_is_hidden(
    said: str, left: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever quotes it, and the line stays JSON."""
    configured(monkeypatch)
    logger.error(said)
    assert [line["event"] for line in written(capsys)] == [left]


def test_what_looks_like_none_stays(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Addresses, ids, and words that only resemble."""
    configured(monkeypatch)
    plain = "Bearer of http://127.0.0.1:8000/v1/jobs?cursor=abc&sign=1 for user@example.com at 12:30@noon"
    logger.error(plain)
    assert [line["event"] for line in written(capsys)] == [plain]
