"""The claims that this process holds: renewed together, watched for runs that hang, handed back when it ends."""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from db import claims, messages
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
        self._unsaved: set[Claim] = set()
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
            held = [*self._started, *self._unsaved]
            self._started.clear()
            self._unsaved.clear()
        with self._sessions.begin() as session:
            return claims.hand_back(session, held)

    def give_up(self, claim: Claim) -> None:
        """Hand this claim back once the database can be reached again: its run met an outage, and is not at fault.

        Else its lease would run out, as if this worker had died of it.
        """
        with self._lock:
            self._unsaved.add(claim)

    def check(self) -> None:
        """Renew every lease in one round trip, hand back what was given up, and end the process if a run hangs."""
        with self._lock:
            started, unsaved = dict(self._started), list(self._unsaved)
        for claim, since in started.items():
            if time.monotonic() - since > POLICIES[claim.name].deadline_seconds:
                logger.critical(
                    "%s of job %s has passed its deadline of %g s: ending this process with exit code %d",
                    claim.name,
                    claim.job_id,
                    POLICIES[claim.name].deadline_seconds,
                    HUNG_EXIT_CODE,
                    extra=claim.log_fields,
                )
                self._end()
        try:
            with self._sessions.begin() as session:
                kept = claims.renew(session, started.keys(), self._lease_seconds)
                returned = claims.hand_back(session, unsaved)
        except SQLAlchemyError as error:
            # The next round tries again; should the lease run out, the token keeps a second result out.
            logger.warning("leases could not be renewed: %s", error)
            return
        with self._lock:
            self._unsaved.difference_update(unsaved)
        if returned:
            # Elsewhere: should Redis be away, too, the renewals must not wait for it.
            threading.Thread(target=_send_again, args=[returned], name="handed-back", daemon=True).start()
        for claim in started.keys() - kept:
            logger.warning(
                "%s of job %s was taken over: its result will be refused",
                claim.name,
                claim.job_id,
                extra=claim.log_fields,
            )

    def _look_after(self) -> None:
        while not self._stopping.wait(self._lease_seconds / RENEWALS_PER_LEASE):
            self.check()


def _send_again(returned: list[Claim]) -> None:
    for claim in returned:
        logger.warning(
            "%s of job %s is handed back: its run met an outage", claim.name, claim.job_id, extra=claim.log_fields
        )
    messages.send_all((claim.name, claim.job_id, 0) for claim in returned)
