"""The claims that this process holds: renewed together, watched for runs that hang, handed back when it ends."""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from db import claims
from db.claims import Claim
from worker.retries import POLICIES

logger = logging.getLogger(__name__)

HUNG_EXIT_CODE = 75
"""EX_TEMPFAIL: the supervisor may start the process again."""
RENEWALS_PER_LEASE = 3


def end_process() -> None:
    """End now: a thread that hangs in a model call can't be stopped in any other way."""
    logging.shutdown()
    os._exit(HUNG_EXIT_CODE)


class Leases:
    """Keeps what is held, and the thread that looks after it."""

    def __init__(
        self, sessions: sessionmaker[Session], lease_seconds: float, end: Callable[[], None] = end_process
    ) -> None:
        """`end` is called when a run passes its stage's deadline."""
        self._sessions = sessions
        self._lease_seconds = lease_seconds
        self._end = end
        self._started: dict[Claim, float] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()

    def start(self) -> None:
        """Look after what is held from now on, in a thread of its own."""
        threading.Thread(target=self._look_after, name="leases", daemon=True).start()

    def stop(self) -> None:
        """Stop looking after it."""
        self._stopping.set()

    @contextmanager
    def held(self, claim: Claim) -> Iterator[None]:
        """Renew this claim's lease for the block, and watch its deadline."""
        with self._lock:
            self._started[claim] = time.monotonic()
        try:
            yield
        finally:
            with self._lock:
                self._started.pop(claim, None)

    def hand_back(self) -> list[Claim]:
        """Give all that is held back to the queue; returns what is to be sent again."""
        with self._lock:
            held = list(self._started)
            self._started.clear()
        with self._sessions.begin() as session:
            return claims.hand_back(session, held)

    def check(self) -> None:
        """Renew every lease in one round trip, and end the process if a run hangs."""
        with self._lock:
            started = dict(self._started)
        for claim, since in started.items():
            if time.monotonic() - since > POLICIES[claim.name].deadline_seconds:
                logger.critical(
                    "%s of job %s has passed its deadline of %g s: ending this process with exit code %d",
                    claim.name,
                    claim.job_id,
                    POLICIES[claim.name].deadline_seconds,
                    HUNG_EXIT_CODE,
                )
                self._end()
        try:
            with self._sessions.begin() as session:
                kept = claims.renew(session, started.keys(), self._lease_seconds)
        except SQLAlchemyError as error:
            # The next round tries again; should the lease run out, the token keeps a second result out.
            logger.warning("leases could not be renewed: %s", error)
            return
        for claim in started.keys() - kept:
            logger.warning("%s of job %s was taken over: its result will be refused", claim.name, claim.job_id)

    def _look_after(self) -> None:
        while not self._stopping.wait(self._lease_seconds / RENEWALS_PER_LEASE):
            self.check()
