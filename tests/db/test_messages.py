"""Messages: what is sent is in its queue, and Redis being away is an answer, not an error."""

import base64
import json
from typing import Any
from unittest.mock import Mock

import pytest
import redis
from uuid_utils.compat import uuid7

from db import messages
from db.messages import _sender
from db.settings import settings
from db.states import StageName


@pytest.fixture
def redis_is_away(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """The settings name a port on which nothing listens."""
    monkeypatch.setenv("MAINMASK_REDIS_URL", "redis://127.0.0.1:9/0")
    settings.cache_clear()
    _sender.cache_clear()
    yield
    monkeypatch.undo()
    settings.cache_clear()
    _sender.cache_clear()


def test_a_message_names_its_stage_and_job_and_nothing_else(environment: dict[str, str]) -> None:
    """One message, in the queue of its stage, with the job's id as its only argument."""
    broker = redis.Redis.from_url(environment["MAINMASK_REDIS_URL"])
    broker.delete(StageName.DETECT)
    job_id = uuid7()
    assert messages.send(StageName.DETECT, job_id)
    (raw,) = broker.lrange(StageName.DETECT, 0, -1)
    message = json.loads(raw)
    arguments, keywords, _ = json.loads(base64.b64decode(message["body"]))
    assert (arguments, keywords) == ([str(job_id)], {})
    assert message["headers"]["task"] == "detect"
    assert message["headers"]["id"] == f"detect-{job_id}"
    broker.delete(StageName.DETECT)


def test_sending_while_redis_is_away_says_so(redis_is_away: None) -> None:
    """No exception reaches a request whose row is committed: `send` answers False."""
    assert messages.send(StageName.CLASSIFY, uuid7()) is False


def test_a_redis_that_is_away_is_waited_for_once(redis_is_away: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A silent one takes seconds for each message: after the first that failed the rest is left to the sweep."""
    send_task = Mock(wraps=_sender().send_task)
    monkeypatch.setattr(_sender(), "send_task", send_task)
    assert not messages.send_all((StageName.CLASSIFY, uuid7(), 0) for _ in range(5))
    assert not messages.send_deliveries((uuid7(), 0) for _ in range(5))
    assert [call.args for call in send_task.call_args_list] == [("classify",), ("deliver",)]


def test_many_messages_are_sent(environment: dict[str, str]) -> None:
    """One for each, with its priority."""
    broker = redis.Redis.from_url(environment["MAINMASK_REDIS_URL"])
    queues = [StageName.DETECT, f"{StageName.DETECT}\x06\x163"]
    broker.delete(*queues)
    assert messages.send_all((StageName.DETECT, uuid7(), priority) for priority in (0, 3, 3))
    assert [broker.llen(queue) for queue in queues] == [1, 2]
    broker.delete(*queues)
