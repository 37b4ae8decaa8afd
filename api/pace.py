"""How fast jobs end of late, asked of Postgres once in a while for all who want to know."""

import threading
import time

from sqlalchemy.orm import Session

from db import outlook
from db.models import Job
from db.outlook import Outlook, Pace

FRESH_SECONDS = 5.0


class PaceKeeper:
    """The pace of the last minutes, a few seconds old at most. For any number of threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pace: Pace | None = None
        self._known_until = 0.0

    def outlook(self, session: Session, job: Job) -> Outlook | None:
        """Of a job that waits; None of any other."""
        return outlook.outlook(session, job, self._recent(session))

    def _recent(self, session: Session) -> Pace | None:
        with self._lock:
            if time.monotonic() >= self._known_until:
                self._pace = outlook.pace(session)
                self._known_until = time.monotonic() + FRESH_SECONDS
            return self._pace
