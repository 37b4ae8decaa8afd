"""Something that is done once in a while, however many ask for it."""

import threading
import time


class Cadence:
    """Says who is to do it: the first that comes when it is due. Thread-safe."""

    def __init__(self, every_seconds: float) -> None:
        self._every_seconds = every_seconds
        self._due = float("-inf")
        self._lock = threading.Lock()

    def is_due(self) -> bool:
        """True once in that time; who is told so does it, while nobody else waits for that."""
        with self._lock:
            due = time.monotonic() >= self._due
            if due:
                self._due = time.monotonic() + self._every_seconds
            return due
