"""A Celery consumer without Celery, and a look at its queues: for tests of what a worker goes on with."""

from collections.abc import Collection
from types import SimpleNamespace
from typing import Any

import redis

from db.states import StageName


class Consumer:
    """What Celery gives a process that takes messages of these queues; it remembers what Flower was told."""

    def __init__(self, queues: Collection[StageName]) -> None:
        self.app = SimpleNamespace(amqp=SimpleNamespace(queues=SimpleNamespace(consume_from=dict.fromkeys(queues))))
        self.event_dispatcher = SimpleNamespace(enabled=True, send=self._send)
        self.told: list[tuple[str, str]] = []
        self.fields: list[dict[str, Any]] = []

    def _send(self, event: str, **fields: Any) -> None:
        self.told.append((event.removeprefix("task-"), fields["name"]))
        self.fields.append(fields)


def lengths(queues: "redis.Redis") -> dict[StageName, int]:
    """How many messages lie in each queue that has some."""
    return {name: count for name in StageName if (count := queues.llen(name))}
