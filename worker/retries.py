"""When a stage that failed is tried again: policies as data, and the one pure function that reads them."""

import random
from dataclasses import dataclass

from db.errors import FetchUnavailable, OutOfMemory, StorageUnavailable, WorkerLost
from db.states import StageName


@dataclass(frozen=True)
class Backoff:
    """How often a stage is tried in all when this is what fails it, and how long apart."""

    attempts: int
    first_delay_seconds: float
    maximum_delay_seconds: float


@dataclass(frozen=True)
class Policy:
    """One stage's deadline, and its errors that may pass. Any other error is final."""

    deadline_seconds: float
    """A run that takes longer hangs: the watchdog ends its process."""
    retryable: dict[type[Exception], Backoff]


OUTAGE = Backoff(attempts=8, first_delay_seconds=1, maximum_delay_seconds=30)
"""Rides out a minute without S3 or Postgres."""
CRASH = Backoff(attempts=3, first_delay_seconds=0, maximum_delay_seconds=0)
"""A job that kills its worker: the second and third time it runs alone, so it takes nobody with it."""
ELSEWHERE = Backoff(attempts=5, first_delay_seconds=2, maximum_delay_seconds=60)
"""Somebody else's server: about half a minute's patience, at a pace that doesn't add to its trouble."""

PASSING: dict[type[Exception], Backoff] = {
    StorageUnavailable: OUTAGE,
    ConnectionError: OUTAGE,
    TimeoutError: OUTAGE,
    FetchUnavailable: ELSEWHERE,
    WorkerLost: CRASH,
    # The second attempt runs alone; what doesn't fit then never will.
    OutOfMemory: Backoff(attempts=2, first_delay_seconds=0.5, maximum_delay_seconds=0.5),
}

BUSY_SECONDS = 1.0
"""How long a stage waits that had to fetch its picture, and wasn't let: that doesn't count as an attempt."""

POLICIES: dict[StageName, Policy] = {
    StageName.CLASSIFY: Policy(deadline_seconds=120, retryable=PASSING),
    StageName.DETECT: Policy(deadline_seconds=300, retryable=PASSING),
    StageName.SEGMENT: Policy(deadline_seconds=300, retryable=PASSING),
}


def busy_delay_seconds() -> float:
    """When to come back after `OutgoingBusy`; jittered, so that those who wait don't come together."""
    return BUSY_SECONDS * random.uniform(0.5, 1)  # noqa: S311 - spreads load, guards nothing


def retry_delay_seconds(stage: StageName, attempt: int, error: Exception) -> float | None:
    """How long to wait before the next attempt after `attempt` (from 1) failed; None: it was the last.

    Exponential with jitter: anywhere between half the step and the step, so that jobs that failed together don't come
    back together.
    """
    backoff = next((found for kind, found in POLICIES[stage].retryable.items() if isinstance(error, kind)), None)
    if backoff is None or attempt >= backoff.attempts:
        return None
    step: float = min(backoff.first_delay_seconds * 2 ** (attempt - 1), backoff.maximum_delay_seconds)
    return step * random.uniform(0.5, 1)  # noqa: S311 - spreads load, guards nothing
