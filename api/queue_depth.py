"""Whether more waits for the workers than they will soon come to."""

from functools import lru_cache

from api.cadence import Cadence
from db import load
from db.session import session_factory
from db.settings import settings

MEASURED_EVERY_SECONDS = 1


class QueueDepth:
    """Counted in Postgres, which is the truth, once a second at most; meanwhile the last count holds. Thread-safe."""

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._depth = 0
        self._cadence = Cadence(MEASURED_EVERY_SECONDS)

    def is_full(self) -> bool:
        """Whether no job should be taken now. Raises SQLAlchemy's error when Postgres doesn't answer."""
        if self._cadence.is_due():
            with session_factory()() as session:
                self._depth = load.count_waiting(session, at_most=self._maximum)
        return self._depth >= self._maximum


@lru_cache
def queue_depth() -> QueueDepth:
    """The process's."""
    return QueueDepth(settings().maximum_queue_depth)
