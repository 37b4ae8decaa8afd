"""How often to ask for something that takes a while."""

import time

FIRST_SECONDS = 0.1
LONGEST_SECONDS = 2.0
GROWTH = 1.4


class Polling:
    """Pauses that grow, and end at a deadline."""

    def __init__(self, timeout_seconds: float) -> None:
        self._answered_at = time.monotonic()
        self._deadline = self._answered_at + timeout_seconds
        self._interval = FIRST_SECONDS

    def is_over(self) -> bool:
        """Whether the deadline has passed."""
        return time.monotonic() >= self._deadline

    def seconds_left(self) -> float:
        """Until the deadline."""
        return max(0.0, self._deadline - time.monotonic())

    def answered(self) -> None:
        """Note that there was an answer just now."""
        self._answered_at = time.monotonic()

    def silent_seconds(self) -> float:
        """How long there has been no answer."""
        return time.monotonic() - self._answered_at

    def next_pause(self, at_least_seconds: float = 0.0) -> float:
        """For how long not to ask now, in seconds; never past the deadline."""
        pause = min(max(self._interval, at_least_seconds), self.seconds_left())
        self._interval = min(self._interval * GROWTH, LONGEST_SECONDS)
        return pause
