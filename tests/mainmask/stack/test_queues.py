"""Which of the waiting stages a worker takes first."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from uuid_utils.compat import uuid7

from db import messages
from db.messages import celery_app
from db.settings import settings
from db.states import StageName
from mainmask.stack.services import Services
from tests.docker.deployment import command_of, compose


def queues_of(command: list[str]) -> list[str]:
    """As a worker's command names them."""
    (option,) = (part for part in command if part.startswith("--queues="))
    return option.removeprefix("--queues=").split(",")


@pytest.fixture
def broker(environment: dict[str, str]) -> Iterator[Any]:
    """Redis with empty queues of the stages, before and after."""
    client = redis.Redis.from_url(environment["MAINMASK_REDIS_URL"])
    client.delete(*StageName)
    yield client
    client.delete(*StageName)


@pytest.mark.parametrize(
    "command",
    [Services({}).worker(Path("ready")).command, command_of(compose("compose.yaml")["services"]["worker"])],
    ids=["stack", "image"],
)
def test_what_was_begun_is_finished_first(broker: Any, command: list[str]) -> None:
    """Else no job of a backlog would be done before all of them are half done, and no picture stay in memory."""
    for name in StageName:
        assert messages.send(name, uuid7())
    app = celery_app(settings())
    app.amqp.queues.select(queues_of(command))
    taken: list[str] = []

    def take(message: Any) -> None:
        taken.append(message.delivery_info["routing_key"])
        message.ack()

    with app.connection_for_read() as connection:
        channel = connection.channel()
        channel.basic_qos(0, 1, False)
        with app.amqp.TaskConsumer(channel, on_message=take):
            while len(taken) < len(StageName):
                connection.drain_events(timeout=10)
    assert taken == [StageName.SEGMENT, StageName.DETECT, StageName.CLASSIFY]
