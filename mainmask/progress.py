"""A job's stages on a terminal, kept up to date while one waits."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from mainmask.jobs import Job, Stage
from mainmask.summary import time_of

MARKS = {
    "succeeded": Text("✓", style="green"),
    "failed": Text("✗", style="red"),
    "skipped": Text("-", style="dim"),
}


@contextmanager
def shown(console: Console) -> Iterator[Callable[[Job], None]]:
    """Gives the function that shows a job's stages, for `Client.wait(on_change=…)`; nothing but on a terminal."""
    with _live(console, "sending") as live:
        yield lambda job: live.update(_table(job)) if live else None


@contextmanager
def busy(what: str) -> Iterator[None]:
    """A spinner for the block beside these words, on stderr, if that is a terminal."""
    with _live(Console(stderr=True), what):
        yield


@contextmanager
def _live(console: Console, what: str) -> Iterator[Live | None]:
    if not console.is_terminal or console.quiet:
        yield None
        return
    # What others print meanwhile goes where it is to go: stdout may be a pipe.
    with Live(
        Spinner("dots", Text(what)), console=console, transient=True, redirect_stdout=False, redirect_stderr=False
    ) as live:
        yield live


def _table(job: Job) -> Table:
    table = Table.grid(padding=(0, 1))
    for stage in job.stages:
        table.add_row(_mark(stage), stage.name, Text(_detail(stage), style="dim"))
    return table


def _mark(stage: Stage) -> RenderableType:
    return Spinner("dots") if stage.status == "running" else MARKS.get(stage.status, Text("·", style="dim"))


def _detail(stage: Stage) -> str:
    parts = [time_of(stage)]
    if stage.attempts > 1:
        parts.append(f"attempt {stage.attempts}")
    return ", ".join(parts)
