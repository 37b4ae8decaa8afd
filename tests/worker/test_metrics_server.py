"""The metrics of processes that serve nothing else."""

import socket
from collections.abc import Iterator

import httpx
import pytest

from db.settings import settings
from mainmask.stack.ports import LOOPBACK, free_port
from worker import metrics_server


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Where the settings have the metrics served."""
    found = free_port()
    monkeypatch.setenv("MAINMASK_METRICS_PORT", str(found))
    monkeypatch.setenv("MAINMASK_METRICS_TOKEN", "what-prometheus-says")
    settings.cache_clear()
    yield found
    monkeypatch.undo()
    settings.cache_clear()


def test_they_are_served_to_who_has_the_token(port: int) -> None:
    """On this machine alone, unless the settings say otherwise."""
    server = metrics_server.start()
    assert server is not None
    try:
        url = f"http://{LOOPBACK}:{port}/metrics"
        assert server.server_address[0] == LOOPBACK
        assert httpx.get(url, trust_env=False).status_code == 401
        answer = httpx.get(url, headers={"Authorization": "Bearer what-prometheus-says"}, trust_env=False)
        assert "mainmask_build_info" in answer.text
        # What only the API measures isn't said to be 0 here.
        assert "mainmask_oldest_job_age_seconds" not in answer.text
    finally:
        server.shutdown()
        server.server_close()


def test_a_taken_port_ends_nothing(port: int, caplog: pytest.LogCaptureFixture) -> None:
    """The log says which."""
    with socket.create_server((LOOPBACK, port)):
        assert metrics_server.start() is None
    assert f"{LOOPBACK}:{port}" in caplog.text


def test_by_default_there_is_no_such_server() -> None:
    """No port, no thread, no socket."""
    settings.cache_clear()
    assert metrics_server.start() is None
