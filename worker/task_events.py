"""The events that Flower watches, sent a few times a second instead of one by one."""

from collections.abc import Callable
from typing import Any

from celery.app.events import Events
from celery.events import EventDispatcher
from kombu.asynchronous import get_event_loop

PACE_SECONDS = 0.25
MOST_BUFFERED = 500
"""So many go at once, however little time has passed."""


class PacedDispatcher(EventDispatcher):  # type: ignore[misc]  # Celery is untyped
    """Celery's own, which sends what its event loop finds in each of its rounds, and so hardly ever two at a time.

    A stage has four events. Sent singly they were a fifth of what a worker computed besides its models.
    """

    def __init__(self, *args: Any, on_send_buffered: Callable[[], object] | None = None, **options: Any) -> None:
        """`on_send_buffered` is given where there is an event loop; without one nothing is buffered."""
        paced = self._plan if on_send_buffered else None
        super().__init__(*args, on_send_buffered=paced, buffer_limit=MOST_BUFFERED, **options)
        self._is_planned = False

    def _plan(self) -> None:
        """Called in the thread that has something to tell; the loop's timers are for the loop's own thread."""
        if not self._is_planned:
            self._is_planned = True
            _loop().call_soon(self._flush_later)

    def _flush_later(self) -> None:
        _loop().call_later(PACE_SECONDS, self._flush_planned)

    def _flush_planned(self) -> None:
        self._is_planned = False
        self.flush()


def _loop() -> Any:
    return get_event_loop()  # untyped, and there is one wherever something is buffered


class PacedEvents(Events):  # type: ignore[misc]  # as above
    """What an application uses as its `events_cls`."""

    dispatcher_cls = PacedDispatcher
