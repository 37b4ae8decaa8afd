"""Kombu's way to Redis, with one client a connection pool instead of one an operation."""

from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis


class Channel(redis.Channel):
    """Kombu's own, which makes a client, and a table of all commands in it, each time that it says something to Redis.

    That was a tenth of what a worker computed besides its models. A client of a pool holds no connection of its own,
    so that threads may share it.
    """

    _shared: Any = None

    def _create_client(self, asynchronous: bool = False) -> Any:
        make: Any = super()._create_client  # Kombu is untyped
        if asynchronous:  # made once: these keep the connection that they wait on
            return make(asynchronous=True)
        # After a lost connection there is another pool.
        client = self._shared
        if client is None or client.connection_pool is not self.pool:
            client = self._shared = make()
        return client


class Transport(redis.Transport):
    """Kombu's own, with these channels."""

    Channel = Channel


def install() -> None:
    """Have `redis://` and `rediss://` lead here in this process.

    As `broker_transport` it would be part of the broker's URL wherever that is shown, which Flower can't read.
    """
    TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), f"{__name__}:{Transport.__name__}"))
