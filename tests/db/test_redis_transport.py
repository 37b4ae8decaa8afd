"""Kombu's clients of Redis: one a pool, and a new one after a connection was lost."""

from collections.abc import Iterator

import pytest
import redis
from uuid_utils.compat import uuid7

from db import messages
from db.messages import celery_app
from db.redis_transport import Channel
from db.settings import settings
from db.states import StageName


@pytest.fixture
def channel(environment: dict[str, str]) -> Iterator[Channel]:
    """One of an application's, on the real broker."""
    with celery_app(settings()).connection_for_write() as connection:
        yield connection.default_channel


def test_an_application_talks_through_these_channels(channel: Channel) -> None:
    """And the broker's URL is shown as it was given."""
    assert isinstance(channel, Channel)
    assert channel.connection.client.as_uri().startswith("redis://")


def test_operations_share_a_client(channel: Channel) -> None:
    """What waits for messages has one for itself: it keeps its connection."""
    with channel.conn_or_acquire() as first, channel.conn_or_acquire() as second:
        assert first is second
    assert channel.client is not first


def test_a_lost_connection_brings_another_client(channel: Channel) -> None:
    """Of the new pool, and it works."""
    with channel.conn_or_acquire() as client:
        pass
    channel._disconnect_pools()  # type: ignore[no-untyped-call]  # kombu is untyped
    with channel.conn_or_acquire() as another:
        assert another is not client
        assert another.connection_pool is channel.pool
        assert another.ping()


def test_sending_makes_no_client_for_each_message(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """However many are sent, over whatever channels the pool of producers has."""
    made = []
    assert messages.send(StageName.DETECT, uuid7())
    monkeypatch.setattr("redis.Redis.__init__", lambda *_, **__: made.append(1))
    for _ in range(3):
        assert messages.send(StageName.DETECT, uuid7())
    assert not made
    monkeypatch.undo()
    redis.Redis.from_url(environment["MAINMASK_REDIS_URL"]).delete(StageName.DETECT)
