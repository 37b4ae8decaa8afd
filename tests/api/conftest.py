"""The application over the real servers, called in process."""

import io
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from api.app import create_app


@pytest.fixture
def client(migrated: None) -> Iterator[TestClient]:
    """A client of a fresh application; what it doesn't answer for itself is answered 500, as in production."""
    with TestClient(create_app(), raise_server_exceptions=False, follow_redirects=False) as opened:
        yield opened


@pytest.fixture(scope="session")
def picture() -> bytes:
    """A small PNG."""
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), "red").save(buffer, "PNG")
    return buffer.getvalue()
