"""Commands that need what the workers need: they take this process's place, as a program of its own."""

import os
import sys
from importlib.util import find_spec
from typing import NoReturn

import typer

from mainmask.exit_codes import ExitCode

NEEDED = ("torch", "transformers")
"""What comes with the workers alone."""


def run(module: str, *arguments: str) -> NoReturn:
    """Run a module of the workers' with this terminal, signals and exit code; it does not return."""
    if not all(find_spec(name) for name in NEEDED):
        typer.echo('This needs the workers\' packages. Install them with: pip install "mainmask[worker]"', err=True)
        raise typer.Exit(ExitCode.USAGE)
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])  # noqa: S606 - our own interpreter, and no shell is wanted
