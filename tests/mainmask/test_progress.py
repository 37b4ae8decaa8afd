"""What a terminal shows while something takes its time, and what a pipe is spared."""

import io

from rich.console import Console

from mainmask.folder import progress as folder_progress
from mainmask.folder.manifest import Row
from mainmask.folder.progress import Tally
from mainmask.jobs import Job
from mainmask.progress import shown
from tests.mainmask.fake_service import document


def drawn(*, terminal: bool) -> tuple[str, str]:
    """What one picture's stages, and a folder's bar, leave on the console."""
    said = []
    for kind in ("one", "folder"):
        file = io.StringIO()
        console = Console(file=file, force_terminal=terminal, width=100)
        if kind == "one":
            with shown(console) as show:
                show(Job.from_document(document()))
        else:
            tally = Tally(3)
            with folder_progress.shown(console, tally) as bar:
                bar.advance(Row(path="a.jpg", status="succeeded", outcome="found"))
                bar.advance(Row(path="b.jpg", status="failed"))
            assert (tally.done, str(tally)) == (2, "1 found, 0 not found, 1 failed")
        said.append(file.getvalue())
    return said[0], said[1]


def test_a_terminal_is_told() -> None:
    """The stages with their times; how many of the pictures are done, and what became of them."""
    one, folder = drawn(terminal=True)
    assert "classify" in one
    assert "41 ms" in one
    assert "2/3" in folder
    assert "1 found, 0 not found, 1 failed" in folder


def test_a_pipe_is_not() -> None:
    """Not a byte."""
    assert drawn(terminal=False) == ("", "")
