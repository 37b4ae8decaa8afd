"""Health: alive is not ready."""

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from db.messages import _sender
from db.session import session_factory
from db.settings import settings
from db.storage import object_store


def test_ready_when_all_three_servers_answer(client: TestClient) -> None:
    """With Postgres, Redis and S3 up, the API is alive and ready."""
    assert client.get("/healthz").status_code == 200
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {
        "ready": True,
        "degraded": False,
        "checks": {"database": True, "redis": True, "storage": True},
    }


def forget_servers() -> None:
    """What reads the settings reads them again."""
    session_factory().kw["bind"].dispose()
    for cache in (settings, session_factory, object_store, _sender):
        cache.cache_clear()


@pytest.mark.parametrize(
    ("variable", "value", "down"),
    [
        ("MAINMASK_DATABASE_URL", "postgresql+psycopg://nobody@127.0.0.1:9/nothing", "database"),
        ("MAINMASK_REDIS_URL", "redis://127.0.0.1:9/0", "redis"),
        ("MAINMASK_S3_ENDPOINT_URL", "http://127.0.0.1:9", "storage"),
    ],
)
def test_not_ready_says_which_server_is_away(
    migrated: None, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, down: str
) -> None:
    """With one server away the API is still alive and names that one.

    Without Redis it is ready all the same, but degraded: jobs are accepted, and wait.
    """
    monkeypatch.setenv(variable, value)
    forget_servers()
    try:
        with TestClient(create_app()) as client:
            assert client.get("/healthz").status_code == 200
            answer = client.get("/readyz")
        assert answer.status_code == (200 if down == "redis" else 503)
        assert answer.json()["degraded"] is (down == "redis")
        checks = answer.json()["checks"]
        assert [name for name, answers in checks.items() if not answers] == [down]
    finally:
        monkeypatch.undo()
        forget_servers()
