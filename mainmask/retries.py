"""When a request that did not get its answer is sent again."""

import random
from dataclasses import dataclass

from mainmask.errors import MainmaskError, QuotaExceeded, ServiceBusy, ServiceUnreachable

FIRST_SECONDS = 0.2
LONGEST_SECONDS = 10.0
GROWTH = 2.0
SPREAD = 0.25
"""Pauses are up to so much longer, so that those who failed together do not come back together."""


@dataclass(frozen=True)
class Retries:
    """How much patience there is; 0 is none. Only requests that may safely be sent twice are sent again."""

    silent_seconds: float = 2.0
    """For a service that does not answer, or cannot serve: all pauses together."""
    busy_seconds: float = 30.0
    """For one that says when to come back, because its queue is full or a quota is used up: all pauses together."""

    def pause_seconds(self, error: MainmaskError, attempt: int, paused_seconds: float) -> float | None:
        """How long to wait before the next attempt; None: the error is the answer.

        Args:
            error: how this attempt ended.
            attempt: its number, from 0.
            paused_seconds: how long the pauses before it were, all together.
        """
        if isinstance(error, QuotaExceeded | ServiceBusy):
            patience = self.busy_seconds
        elif isinstance(error, ServiceUnreachable):
            patience = self.silent_seconds
        else:
            return None
        usual = min(FIRST_SECONDS * GROWTH**attempt, LONGEST_SECONDS)
        least = max(usual, error.retry_after_seconds)
        if paused_seconds + least > patience:
            return None
        return least * random.uniform(1.0, 1.0 + SPREAD)  # noqa: S311 - nobody must not guess it


NONE = Retries(silent_seconds=0.0, busy_seconds=0.0)
