"""How often something may be done in a minute."""

import threading
from collections import deque
from collections.abc import Callable


class Pace:
    """A sliding window of a minute; for any number of threads."""

    def __init__(self, per_minute: int, clock: Callable[[], float]) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._lock = threading.Lock()
        self._taken: deque[float] = deque()

    def take(self) -> bool:
        """Whether it may be done now, which is counted then."""
        with self._lock:
            now = self._clock()
            while self._taken and self._taken[0] <= now - 60:
                self._taken.popleft()
            if len(self._taken) >= self._per_minute:
                return False
            self._taken.append(now)
            return True
