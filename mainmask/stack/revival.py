"""When a child that ended by itself is started again."""

from mainmask.stack.errors import StackError
from mainmask.stack.process import Process

LONGEST_DELAY_SECONDS = 30.0
STEADY_AFTER_SECONDS = 60.0


def delay_seconds(failures: int) -> float:
    """How long to wait after this many failures in a row: 1, 2, 4, … up to 30 s."""
    return min(LONGEST_DELAY_SECONDS, 2.0 ** (failures - 1))


class Revival:
    """Watches one child, and starts it again each time it ends, more slowly the more often it does."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._failures = 0
        self._due_at: float | None = None

    def step(self, now: float) -> str | None:
        """Do what is due at `now`, in seconds by the monotonic clock; say so if something happened."""
        if self._due_at is not None:
            return self._start() if now >= self._due_at else None
        code = self._process.exit_code()
        if code is None:
            return None
        if now - self._process.started_at > STEADY_AFTER_SECONDS:
            self._failures = 0
        return self._failed(f"{self._process.name} ended unexpectedly (exit code {code})", now)

    def _start(self) -> str:
        due_at, self._due_at = self._due_at, None
        try:
            self._process.start()
        except (StackError, OSError) as error:
            return self._failed(f"{self._process.name} cannot be started again: {error}", due_at or 0.0)
        return f"{self._process.name} is started again"

    def _failed(self, what: str, now: float) -> str:
        self._failures += 1
        delay = delay_seconds(self._failures)
        self._due_at = now + delay
        return f"{what}; it is started again in {delay:.0f} s. Its log: {self._process.log}"
