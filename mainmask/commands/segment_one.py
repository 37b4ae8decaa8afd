"""`mainmask segment` with one picture."""

from pathlib import Path

import typer
from rich.console import Console

from mainmask import artifacts
from mainmask.client import Client
from mainmask.commands.options import print_json
from mainmask.errors import JobFailed
from mainmask.exit_codes import ExitCode
from mainmask.folder.words import Words
from mainmask.options import SubmitOptions
from mainmask.progress import shown
from mainmask.summary import print_summary

DEFAULT_OUT = Path("mainmask-out")


def segment_one(  # noqa: PLR0913 - what the command was told
    client: Client,
    picture: Path,
    words: Words,
    options: SubmitOptions,
    *,
    timeout_seconds: float,
    out: Path | None,
    as_json: bool,
) -> None:
    """Submit it, wait, save and print what came out; exits with 4 if nothing was found."""
    try:
        with shown(Console(stderr=True, quiet=as_json)) as show:
            submitted = client.submit(picture, words.description, **words.added_to(options))
            job = client.wait(submitted, timeout_seconds=timeout_seconds, on_change=show)
    except JobFailed as failure:
        if as_json:
            print_json(failure.job.document)
        raise
    folder = out or (None if as_json else DEFAULT_OUT / picture.stem)
    files = artifacts.save(client, job, folder) if folder else []
    if as_json:
        print_json(job.document)
    else:
        print_summary(Console(), job, files)
    if job.result and not job.result.found:
        raise typer.Exit(ExitCode.NOTHING_FOUND)
