"""The application over the real servers, called in process."""

import io
from collections.abc import Iterator
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from api.app import create_app
from api.known_keys import known_keys
from api.queue_depth import queue_depth
from api.rate_limits import rate_limits
from db.settings import settings
from tests import servers
from tests.api.answers import submit
from tests.api_keys import ADMIN_KEY


@pytest.fixture
def client(migrated: None) -> Iterator[TestClient]:
    """A client of a fresh application; what it doesn't answer for itself is answered 500, as in production."""
    with TestClient(create_app(), raise_server_exceptions=False, follow_redirects=False) as opened:
        yield opened


@pytest.fixture
def keys_are_on(migrated: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The settings ask callers for keys, and hold an admin's; ask for it before `client`."""
    monkeypatch.setenv("MAINMASK_AUTH", "true")
    monkeypatch.setenv("MAINMASK_ADMIN_KEY", ADMIN_KEY)
    forget_settings()
    yield
    monkeypatch.undo()
    forget_settings()


def forget_settings() -> None:
    """What was made of the settings is made again."""
    for cache in (settings, known_keys, queue_depth, rate_limits):
        cache.cache_clear()


@pytest.fixture
def address(keys_are_on: None) -> Iterator[str]:
    """The application behind its real HTTP server, with keys."""
    with servers.http(create_app()) as url:
        yield url


@pytest.fixture(scope="session")
def picture() -> bytes:
    """A small PNG."""
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), "red").save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def job_id(client: TestClient, picture: bytes) -> UUID:
    """A job that waits for a worker."""
    return UUID(submit(client, picture, labels=["square"], reuse="false").json()["id"])
