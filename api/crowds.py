"""How many jobs each caller has in flight, near enough to put its next one into its place."""

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy.orm import Session

from db import fairness

MEASURED_EVERY_SECONDS = 1
REMEMBERED_TENANTS = 4096


@dataclass
class _Crowd:
    count: int
    due: float


class Crowds:
    """Each tenant's is counted in Postgres once a second at most; in between, those it adds are. Thread-safe.

    A count reads up to a thousand rows, which would be most of what a submission costs the database.
    """

    def __init__(self) -> None:
        self._crowds: OrderedDict[str, _Crowd] = OrderedDict()
        self._lock = threading.Lock()

    def join(self, session: Session, tenant: str) -> int:
        """Count one job more; returns how many were there before it.

        Raises SQLAlchemy's error when Postgres doesn't answer.
        """
        with self._lock:
            known = self._crowds.get(tenant)
            if known and time.monotonic() < known.due:
                known.count += 1
                return known.count - 1
        # Not locked: whoever comes while another one counts counts, too, and waits for nobody.
        count = fairness.in_flight(session, tenant)
        with self._lock:
            self._crowds[tenant] = _Crowd(count + 1, time.monotonic() + MEASURED_EVERY_SECONDS)
            self._crowds.move_to_end(tenant)
            while len(self._crowds) > REMEMBERED_TENANTS:
                self._crowds.popitem(last=False)
        return count


@lru_cache
def crowds() -> Crowds:
    """The process's."""
    return Crowds()
