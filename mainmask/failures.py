"""Turns what a user can cause into one plain message and an exit code."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console

from mainmask.errors import KeyRefused, MainmaskError, QuotaExceeded, ServiceBusy, ServiceUnreachable
from mainmask.exit_codes import exit_code
from mainmask.folder.errors import FolderError
from mainmask.stack.errors import StackError
from mainmask.stack.interruptions import Interrupted


@contextmanager
def told_plainly() -> Iterator[None]:
    """Print the error of the block to stderr, and exit with its code; a bug keeps its traceback."""
    try:
        yield
    except BrokenPipeError:
        raise  # Whoever read our output has seen enough; typer ends quietly.
    except (MainmaskError, StackError, FolderError, OSError) as error:
        _print(_message(error))
        raise typer.Exit(exit_code(error)) from error
    except Interrupted as interrupted:
        _print("Interrupted.")
        raise typer.Exit(interrupted.exit_code) from interrupted


def _message(error: Exception) -> str:
    if isinstance(error, KeyRefused):
        return f"{error}\nThe key is taken from MAINMASK_API_KEY, or --api-key."
    if isinstance(error, QuotaExceeded | ServiceBusy):
        return f"{error}\nTry again in {error.retry_after_seconds:.0f} s."
    if isinstance(error, ServiceUnreachable):
        return f"{error}\nStart one on this machine with: mainmask up"
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _print(message: str) -> None:
    Console(stderr=True).print(message, style="red", markup=False, highlight=False, soft_wrap=True)
