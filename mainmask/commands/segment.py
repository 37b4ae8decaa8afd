"""`mainmask segment`: one picture through a service that runs."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from mainmask import artifacts
from mainmask.client import Client
from mainmask.commands.options import ApiKey, Url, print_json
from mainmask.errors import JobFailed
from mainmask.exit_codes import ExitCode
from mainmask.failures import told_plainly
from mainmask.progress import shown
from mainmask.summary import print_summary

DEFAULT_OUT = Path("mainmask-out")


class Instances(StrEnum):
    """How many of the main object to cut out."""

    BEST = "best"
    ALL = "all"


Picture = Annotated[Path, typer.Argument(help="A picture file.", exists=True, dir_okay=False, readable=True)]
Text = Annotated[str | None, typer.Option("--text", "-t", help="A sentence on the picture.")]
Labels = Annotated[str | None, typer.Option("--labels", "-l", help="The candidates instead: man,snowboard")]
InstancesOption = Annotated[Instances, typer.Option(help="The best match only, or all.")]
Out = Annotated[
    Path | None,
    typer.Option(help="Folder for the files; mainmask-out/PICTURE unless given.", file_okay=False, show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print the job document, nothing else; files only with --out.")]
Timeout = Annotated[float, typer.Option(help="Seconds to wait for the result.", min=0)]


def segment(  # noqa: PLR0913, PLR0917 - one parameter for each option
    picture: Picture,
    text: Text = None,
    labels: Labels = None,
    instances: InstancesOption = Instances.BEST,
    out: Out = None,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
    timeout: Timeout = 300.0,
) -> None:
    """Cut the main object out of a picture.

    Saves its mask, the cut-out, an overlay for the eye, and the job document.

    Examples:

      mainmask segment photo.jpg --text "The man skiing on his new snowboard!"

      mainmask segment photo.jpg --labels man,snowboard --out cut

      mainmask segment photo.jpg --text "a dog" --json | jq .result.main_object
    """
    candidates = _candidates(text, labels)
    with told_plainly(), Client(url, api_key=api_key) as client:
        try:
            submitted = client.submit(picture, text, labels=candidates, instances=instances.value)
            with shown(Console(stderr=True)) as show:
                job = client.wait(submitted, timeout_seconds=timeout, on_change=show)
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


def _candidates(text: str | None, labels: str | None) -> list[str] | None:
    """The labels of the option, which stand instead of a text."""
    if (text is None) == (labels is None):
        raise typer.BadParameter("say what is in the picture, either with --text or with --labels")
    if labels is None:
        return None
    candidates = [label.strip() for label in labels.split(",") if label.strip()]
    if not candidates:
        raise typer.BadParameter("--labels names nothing")
    return candidates
