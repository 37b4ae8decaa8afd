"""Whether more waits for the workers than they will soon come to."""

import math
from functools import lru_cache

from api.cadence import Cadence
from db import load
from db.session import session_factory
from db.settings import settings

MEASURED_EVERY_SECONDS = 1
TENANT_SHARE = 0.75


class QueueDepth:
    """Counted in Postgres, which is the truth, once a second at most; meanwhile the last count holds. Thread-safe.

    One tenant may fill no more than its share of the queue: what is left is for others, however many jobs it sends.
    """

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._share = math.ceil(maximum * TENANT_SHARE)
        self._depth = 0
        self._over: dict[str, bool] = {}
        self._cadence = Cadence(MEASURED_EVERY_SECONDS)

    def is_full(self, tenant: str) -> bool:
        """Whether no job of this tenant should be taken now. Raises SQLAlchemy's error when Postgres doesn't answer."""
        if self._cadence.is_due():
            with session_factory()() as session:
                self._depth = load.count_waiting(session, at_most=self._maximum)
            self._over = {}
        if self._depth < self._share:
            return False
        return self._depth >= self._maximum or self._is_over(tenant)

    def _is_over(self, tenant: str) -> bool:
        over = self._over
        if tenant not in over:
            with session_factory()() as session:
                over[tenant] = load.count_in_flight(session, tenant, at_most=self._share) >= self._share
        return over[tenant]


@lru_cache
def queue_depth() -> QueueDepth:
    """The process's."""
    return QueueDepth(settings().maximum_queue_depth)
