"""The time that a request has in all."""

import time


class Deadline:
    """Runs from its making; everything that a request waits for waits no longer than what remains of it."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def remaining_seconds(self) -> float:
        """More than 0.

        Raises:
            TimeoutError: nothing remains.
        """
        remaining = self._end - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        return remaining
