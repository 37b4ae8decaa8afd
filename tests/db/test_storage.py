"""The object storage against a real S3 server: what goes in comes out, and every failure is ours."""

import io
from datetime import UTC, datetime, timedelta
from urllib.request import urlopen

import pytest

from db.errors import ObjectMissing, StorageUnavailable
from db.settings import Settings, settings
from db.storage import ObjectStore


@pytest.fixture
def store(environment: dict[str, str]) -> ObjectStore:
    """A store on the test server's bucket."""
    return ObjectStore(Settings())


def test_bytes_and_files_come_back_whole(store: ObjectStore) -> None:
    """What was put, from memory or from an open file, is what get returns."""
    store.put("test/bytes", b"\x00\x01", "application/octet-stream")
    store.put("test/file", io.BytesIO(b"abc" * 1000), "text/plain")
    assert store.get("test/bytes") == b"\x00\x01"
    assert store.get("test/file") == b"abc" * 1000


def test_a_presigned_url_needs_no_credentials(store: ObjectStore) -> None:
    """Anyone who holds the URL reads the object over plain HTTP."""
    store.put("test/shared", b"picture", "image/png")
    with urlopen(store.url("test/shared")) as answer:
        assert answer.read() == b"picture"


def test_a_missing_object_is_not_an_outage(store: ObjectStore) -> None:
    """An object that isn't there raises `ObjectMissing`, which no retry would mend."""
    with pytest.raises(ObjectMissing, match="test/nothing"):
        store.get("test/nothing")


def test_an_unreachable_server_is_an_outage(environment: dict[str, str]) -> None:
    """A server that doesn't answer raises `StorageUnavailable`, never an error of boto's."""
    away = ObjectStore(settings().model_copy(update={"s3_endpoint_url": "http://127.0.0.1:9"}))
    with pytest.raises(StorageUnavailable, match="get"):
        away.get("test/bytes")


def test_the_secret_is_not_printed(environment: dict[str, str]) -> None:
    """The settings can be logged: the storage's secret doesn't show in them."""
    assert environment["MAINMASK_S3_SECRET_ACCESS_KEY"] not in repr(Settings())


def test_old_objects_leave_and_young_ones_stay(store: ObjectStore) -> None:
    """By when they were stored; what lies under other prefixes is left alone."""
    for key in ("test/age/a", "test/age/b", "test/aged"):
        store.put(key, b"x", "text/plain")
    now = datetime.now(UTC)
    store.delete_older("test/age/", now - timedelta(hours=1))
    assert store.get("test/age/a") == b"x"
    store.delete_older("test/age/", now + timedelta(hours=1))
    for key in ("test/age/a", "test/age/b"):
        with pytest.raises(ObjectMissing):
            store.get(key)
    assert store.get("test/aged") == b"x"
