"""What Flower has to know of the queues."""

import asyncio
from uuid import uuid4

import pytest
from flower.utils.broker import Broker

from db import messages
from db.states import StageName
from worker.flower import app


@pytest.mark.usefixtures("environment")
def test_flower_counts_the_messages_of_every_priority(redis_url: str) -> None:
    """Each priority has a Redis list of its own, and not those that Celery has by default."""

    def counted() -> int:
        broker = Broker(redis_url, broker_options=app.conf.broker_transport_options)
        (queue,) = asyncio.run(broker.queues([StageName.SEGMENT]))
        return int(queue["messages"])

    before = counted()
    for priority in messages.PRIORITIES:
        assert messages.send(StageName.SEGMENT, uuid4(), priority=priority)
    assert counted() == before + len(messages.PRIORITIES)
    assert counted() == messages.waiting(StageName.SEGMENT)
