"""How far a run is: a bar on a terminal, and the sums at its end."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from mainmask.folder.manifest import Row


@dataclass
class Tally:
    """What became of the pictures so far."""

    total: int
    counts: Counter[str] = field(default_factory=Counter)
    """By found, not_found and failed."""

    @property
    def done(self) -> int:
        """How many have been dealt with."""
        return self.counts.total()

    def count(self, row: Row) -> None:
        """One more."""
        self.counts[row.outcome or row.status] += 1

    def __str__(self) -> str:
        found, missing, failed = (self.counts[name] for name in ("found", "not_found", "failed"))
        return f"{found} found, {missing} not found, {failed} failed"


class Bar:
    """The tally, drawn."""

    def __init__(self, progress: Progress, task: TaskID, tally: Tally) -> None:
        self._progress = progress
        self._task = task
        self._tally = tally

    def advance(self, row: Row) -> None:
        """One picture more."""
        self._tally.count(row)
        self._progress.update(self._task, advance=1, sums=str(self._tally))


@contextmanager
def shown(console: Console, tally: Tally) -> Iterator[Bar]:
    """A bar for the block, if the console is a terminal."""
    columns = [BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[sums]}"), TimeRemainingColumn()]
    with Progress(
        *columns,
        console=console,
        transient=True,
        disable=not console.is_terminal,
        # What others print is for stdout, wherever the bar is.
        redirect_stdout=False,
        redirect_stderr=False,
    ) as progress:
        yield Bar(progress, progress.add_task("", total=tally.total, sums=str(tally)), tally)
