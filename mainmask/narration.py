"""What the local stack does, told line by line, under a spinner where there is a terminal."""

from contextlib import suppress
from typing import Self

from rich.console import Console
from rich.text import Text


class Narration:
    """A spinner with the stack's news above it."""

    def __init__(self, console: Console, activity: str) -> None:
        self._console = console
        self._status = console.status(activity)

    def __enter__(self) -> Self:
        self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.settle()

    def settle(self) -> None:
        """Take the spinner away: nothing is going on any more."""
        with suppress(OSError):
            self._status.stop()

    def say(self, line: str) -> None:
        """Print a line. Should the terminal be gone, the stack still has its children to stop."""
        with suppress(OSError):
            self._console.print(Text(f"  {line}", style="dim"), soft_wrap=True)
