"""Slots for what may take long: so many at once of each kind, lest one caller's keep all others out."""

import threading
from collections import Counter
from collections.abc import Mapping


class Slots:
    """Counts what is under way, by the names of its kinds; for any number of threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._taken: Counter[str] = Counter()

    def take(self, limits: Mapping[str, int], timeout_seconds: float = 0) -> bool:
        """Take one slot of every kind that is named, or none at all; False when there was no room within the time.

        Args:
            limits: how many of each kind there are.
            timeout_seconds: how long to wait for room.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._has_room(limits), timeout_seconds):
                return False
            self._taken.update(limits.keys())
            return True

    def give_back(self, limits: Mapping[str, int]) -> None:
        """End what was taken with the same kinds."""
        with self._changed:
            self._taken.subtract(limits.keys())
            # Callers choose the names: those that nobody uses must not pile up.
            for name in limits:
                if not self._taken[name]:
                    del self._taken[name]
            self._changed.notify_all()

    def _has_room(self, limits: Mapping[str, int]) -> bool:
        return all(self._taken[name] < limit for name, limit in limits.items())
