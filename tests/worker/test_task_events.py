"""The events that Flower watches."""

from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

import pytest
from kombu.asynchronous import Hub, get_event_loop, set_event_loop

from worker import task_events
from worker.app import app
from worker.task_events import PacedDispatcher


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An event loop like a worker's, that nobody else uses; its pace is a test's."""
    monkeypatch.setattr(task_events, "PACE_SECONDS", 0.01)
    before, hub = get_event_loop(), Hub()  # type: ignore[no-untyped-call]  # kombu is
    set_event_loop(hub)
    yield hub
    hub.close()  # type: ignore[no-untyped-call]  # as above
    set_event_loop(before)


@pytest.fixture
def dispatcher(loop: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """One whose messages go to `publish` of a mock."""
    made = PacedDispatcher(
        Mock(), app=app, hostname="here", channel=Mock(), buffer_group=["task"], on_send_buffered=lambda: None
    )
    made.producer = Mock()
    return made


def run(loop: Any, dispatcher: Any) -> list[Any]:
    """The bodies of what was published once the loop has had something to do."""
    rounds = loop.create_loop()
    while not dispatcher.producer.publish.called:
        next(rounds)
    return [call.args[0] for call in dispatcher.producer.publish.call_args_list]


def test_a_workers_events_are_paced() -> None:
    """The application's dispatcher is this one."""
    assert issubclass(app.events.Dispatcher, PacedDispatcher)


def test_events_of_tasks_go_together(loop: Any, dispatcher: Any) -> None:
    """All that happened within the pace is one message, in order; what follows it is another."""
    dispatcher.send("task-started", uuid="1")
    dispatcher.send("task-succeeded", uuid="1")
    assert not dispatcher.producer.publish.called
    (first,) = run(loop, dispatcher)
    assert [event["type"] for event in first] == ["task-started", "task-succeeded"]
    dispatcher.producer.publish.reset_mock()
    dispatcher.send("task-started", uuid="2")
    (second,) = run(loop, dispatcher)
    assert [event["uuid"] for event in second] == ["2"]


def test_a_burst_does_not_wait(dispatcher: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The buffer is bounded: when it is full, its events go at once."""
    for number in range(task_events.MOST_BUFFERED):
        dispatcher.send("task-started", uuid=str(number))
    (sent,) = [call.args[0] for call in dispatcher.producer.publish.call_args_list]
    assert len(sent) == task_events.MOST_BUFFERED


def test_a_workers_own_events_are_not_put_off(dispatcher: Any) -> None:
    """Flower knows by its heartbeats that a worker lives."""
    dispatcher.send("worker-heartbeat")
    dispatcher.producer.publish.assert_called_once()
