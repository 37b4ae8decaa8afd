"""Whether more waits for the workers than they will soon come to."""

import threading
import time
from functools import lru_cache

from db import load
from db.session import session_factory
from db.settings import settings

MEASURED_EVERY_SECONDS = 1


class QueueDepth:
    """Counted in Postgres, which is the truth, once a second at most; meanwhile the last count holds. Thread-safe."""

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._depth = 0
        self._due = 0.0
        self._lock = threading.Lock()

    def is_full(self) -> bool:
        """Whether no job should be taken now. Raises SQLAlchemy's error when Postgres doesn't answer."""
        if self._is_due():
            with session_factory()() as session:
                self._depth = load.count_waiting(session, at_most=self._maximum)
        return self._depth >= self._maximum

    def _is_due(self) -> bool:
        # Only this is locked: whoever comes while another one counts doesn't wait for that.
        with self._lock:
            due = time.monotonic() >= self._due
            if due:
                self._due = time.monotonic() + MEASURED_EVERY_SECONDS
            return due


@lru_cache
def queue_depth() -> QueueDepth:
    """The process's."""
    return QueueDepth(settings().maximum_queue_depth)
