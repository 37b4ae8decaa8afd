"""Who is served first: a caller with few jobs before one with many, then by the priority that each gave its own."""

from bisect import bisect_right

from sqlalchemy.orm import Session

from db import load
from db.states import Priority

BANDS = (32, 1024)
"""A caller's jobs in flight from which on its next ones wait behind everybody who has fewer."""
ORDER = {Priority.HIGH: 0, Priority.NORMAL: 1, Priority.LOW: 2}


def message_priority(priority: Priority, in_flight: int) -> int:
    """Of the first stage's message, from 1 to 9; 0 is for what is begun. The lower, the sooner.

    One caller's ten thousand jobs leave the bands before theirs free, so another's one waits for a few dozen at most.
    """
    return 1 + len(ORDER) * bisect_right(BANDS, in_flight) + ORDER[priority]


def in_flight(session: Session, tenant: str) -> int:
    """The tenant's jobs that haven't ended, counted no further than the last band needs."""
    return load.count_in_flight(session, tenant, at_most=BANDS[-1])
