"""Progress for people and for log files."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")

LOG_EVERY_SECONDS = 20.0


def progress(items: Iterable[T], name: str, total: int) -> Iterator[T]:
    """`items`, with a bar on a terminal, and elsewhere a line every `LOG_EVERY_SECONDS`."""
    yield from Progress(name, total, 0).over(items)


class Progress:
    """A bar that also shows figures, such as losses, that the caller reports."""

    def __init__(self, name: str, total: int, done: int) -> None:
        self._name, self._total, self._done = name, total, done
        self._figures = ""
        self._bar = tqdm(total=total, initial=done, desc=name) if sys.stderr.isatty() else None
        self._begun = self._logged = time.monotonic()
        self._first = done

    def over(self, items: Iterable[T]) -> Iterator[T]:
        """`items`, each counted as one step."""
        for item in items:
            yield item
            self.step()

    def step(self, figures: str = "") -> None:
        """Counts one step."""
        self._done += 1
        self._figures = figures
        if self._bar is not None:
            self._bar.set_postfix_str(figures, refresh=False)
            self._bar.update()
            if self._done == self._total:
                self._bar.close()
        elif self._done == self._total or time.monotonic() - self._logged > LOG_EVERY_SECONDS:
            self._log()

    def _log(self) -> None:
        self._logged = time.monotonic()
        pace = (self._logged - self._begun) / (self._done - self._first)
        left = pace * (self._total - self._done) / 60
        print(
            f"{self._name} {self._done}/{self._total} {pace * 1000:.0f} ms each, {left:.1f} min left {self._figures}",
            file=sys.stderr,
            flush=True,
        )
