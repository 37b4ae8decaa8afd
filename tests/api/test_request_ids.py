"""The id of a request, in its answer."""

import json

import httpx
import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.request_ids import HEADER, SANE
from db import logs
from db.settings import settings
from tests import servers


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/jobs/nonsense", "/nowhere", "/healthz"])
def test_every_answer_has_one(client: TestClient, path: str) -> None:
    """Each another one."""
    first, second = (client.get(path).headers[HEADER] for _ in range(2))
    assert SANE.fullmatch(first)
    assert first != second


def test_a_proxys_is_kept(client: TestClient) -> None:
    """So that both logs have the same."""
    assert client.get("/healthz", headers={HEADER: "edge-7.a_B"}).headers[HEADER] == "edge-7.a_B"


@pytest.mark.parametrize("forged", ["", "a b", "x" * 65, 'x", "level": "info'])
def test_one_that_could_forge_lines_is_not(client: TestClient, forged: str) -> None:
    """A new one takes its place."""
    answered = client.get("/healthz", headers={HEADER: forged}).headers[HEADER]
    assert answered != forged
    assert SANE.fullmatch(answered)


def test_an_unexpected_error_names_it(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the header and in the problem: it leads to the traceback in the log."""

    def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("api.routes.jobs.jobs.find", broken)
    answer = client.get("/v1/jobs/01a20b32-a533-7273-8af1-09b1f4d20838", headers={HEADER: "mine"})
    assert answer.status_code == 500
    assert answer.headers[HEADER] == "mine"
    assert answer.json()["detail"].endswith("mine.")


def test_the_traceback_is_logged_under_it(
    migrated: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Though the server logs it, when the request is over for the application."""
    monkeypatch.setenv("MAINMASK_LOG_FORMAT", "json")
    settings.cache_clear()
    application = create_app()

    @application.get("/broken")
    def broken() -> None:
        raise RuntimeError

    with servers.http(application) as url:
        logs.configure()  # the server's own set-up comes first where it makes the application itself
        assert httpx.get(f"{url}/broken", headers={HEADER: "mine"}, trust_env=False).status_code == 500
    settings.cache_clear()
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    (error,) = (line for line in lines if line["level"] == "error")
    assert error["request_id"] == "mine"
    assert "RuntimeError" in error["exception"]
