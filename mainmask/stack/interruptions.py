"""Ctrl-C, SIGTERM and SIGHUP: one way for all three to end what the stack is doing."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Self

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Handler = Callable[[int, FrameType | None], object] | int | None
"""What `signal.signal` takes and returns."""


class Interrupted(KeyboardInterrupt):
    """One of the three arrived. A KeyboardInterrupt, so that no `except Exception` swallows it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


class Interruptions:
    """Raises `Interrupted` when a signal arrives, except while held: then it waits for `check`.

    As a context manager it handles the signals; without that, nothing ever arrives, which suits a stack in a test.
    """

    def __init__(self) -> None:
        self.count = 0
        """How many have arrived."""
        self._held = False
        self._waiting: int | None = None
        self._handlers: dict[signal.Signals, Handler] = {}

    def __enter__(self) -> Self:
        for number in SIGNALS:
            # What nohup or a shell's `&` told this process to ignore stays ignored.
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._handlers[number] = signal.signal(number, self._arrived)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers.clear()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let the block finish whatever arrives."""
        before, self._held = self._held, True
        try:
            yield
        finally:
            self._held = before

    def check(self) -> None:
        """Raise what arrived while held."""
        number, self._waiting = self._waiting, None
        if number is not None:
            raise Interrupted(number)

    def _arrived(self, number: int, _frame: FrameType | None) -> None:
        self.count += 1
        if not self._held:
            raise Interrupted(number)
        self._waiting = number
