"""`mainmask segment`: pictures through a service that runs."""

from collections.abc import Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from mainmask.async_client import AsyncClient
from mainmask.client import Client
from mainmask.commands.options import ApiKey, Url
from mainmask.commands.segment_folder import FolderRun
from mainmask.commands.segment_one import DEFAULT_OUT, segment_one
from mainmask.failures import told_plainly
from mainmask.folder import pictures as search
from mainmask.folder.words import Words, captions, split_labels
from mainmask.options import SubmitOptions

TIMEOUT_SECONDS = 300.0
TIMEOUT_OF_MANY_SECONDS = 3600.0
"""Longer, because nobody sits and waits, and they wait for each other."""
MANY = "Many pictures"


class Instances(StrEnum):
    """How many of the main object to cut out."""

    BEST = "best"
    ALL = "all"


class OnMissing(StrEnum):
    """What to do when the chosen candidate isn't found in the picture."""

    NOT_FOUND = "not_found"
    NEXT = "next"


class Output(StrEnum):
    """A picture that the service makes of each instance."""

    MASK = "mask"
    CUTOUT = "cutout"
    OVERLAY = "overlay"


Pictures = Annotated[list[str], typer.Argument(help="A picture file; or several, a folder, 'photos/**/*.jpg'.")]
Text = Annotated[str | None, typer.Option("--text", "-t", help="A sentence on the picture.")]
Labels = Annotated[str | None, typer.Option("--labels", "-l", help="The candidates instead: man,snowboard")]
InstancesOption = Annotated[Instances, typer.Option(help="The best match only, or all.")]
OnMissingOption = Annotated[
    OnMissing, typer.Option(help="When the chosen candidate isn't found: say so, or take the next one that is.")
]
Outputs = Annotated[
    list[Output] | None,
    typer.Option("--output", help="Make only these; may be repeated.", show_default="all", case_sensitive=False),
]
Out = Annotated[
    Path | None,
    typer.Option(help="Folder for the files; mainmask-out/NAME unless given.", file_okay=False, show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, nothing else; of one picture files only with --out.")]
Timeout = Annotated[
    float | None, typer.Option(help="Seconds to wait for a picture's result.", min=0, show_default="300; 3600 of many")
]
Captions = Annotated[
    Path | None,
    typer.Option(
        "--captions",
        help="A CSV with the columns path, and text or labels: what each picture shows.",
        exists=True,
        dir_okay=False,
        rich_help_panel=MANY,
    ),
]
Jobs = Annotated[int, typer.Option(help="How many may be in flight.", min=1, max=256, rich_help_panel=MANY)]
RetryFailed = Annotated[
    bool, typer.Option("--retry-failed", help="Try again what failed before.", rich_help_panel=MANY)
]
Coco = Annotated[Path | None, typer.Option(help="Write COCO annotations there.", dir_okay=False, rich_help_panel=MANY)]


def segment(  # noqa: PLR0913, PLR0917 - one parameter for each option
    pictures: Pictures,
    text: Text = None,
    labels: Labels = None,
    instances: InstancesOption = Instances.BEST,
    on_missing: OnMissingOption = OnMissing.NOT_FOUND,
    output: Outputs = None,
    out: Out = None,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
    timeout: Timeout = None,
    captions_file: Captions = None,
    jobs: Jobs = 8,
    retry_failed: RetryFailed = False,
    coco: Coco = None,
) -> None:
    """Cut the main object out of a picture, or of many.

    Saves masks, cut-outs, overlays for the eye, and the job documents. Of many pictures there is a manifest besides; a
    run that was ended, however it was, goes on when the same command is given again.

    Examples:

      mainmask segment photo.jpg --text "The man skiing on his new snowboard!"

      mainmask segment photo.jpg --labels man,snowboard --out cut

      mainmask segment photos --labels cat,dog --coco annotations.json

      mainmask segment photos --captions captions.csv --output mask --jobs 32
    """
    options: SubmitOptions = {"instances": instances.value}
    if on_missing is OnMissing.NEXT:  # unsaid, it leaves the manifests of earlier versions as they are
        options["on_missing"] = "next"
    if output:
        options["outputs"] = [one.value for one in output]
    said = _said(text, labels, captions_file)
    if isinstance(said, Words) and coco is None and not search.are_many(pictures):
        with told_plainly(), Client(url, api_key=api_key) as client:
            segment_one(
                client,
                Path(pictures[0]),
                said,
                options,
                timeout_seconds=TIMEOUT_SECONDS if timeout is None else timeout,
                out=out,
                as_json=as_json,
            )
        return
    with told_plainly():
        found = search.find(pictures, leave_out=out or DEFAULT_OUT)
        words = [said] * len(found) if isinstance(said, Words) else captions(said, found)
    run = FolderRun(
        pictures=list(zip(found, words, strict=True)),
        out=out or DEFAULT_OUT / _name(pictures),
        options=options,
        jobs=jobs,
        retry_failed=retry_failed,
        timeout_seconds=TIMEOUT_OF_MANY_SECONDS if timeout is None else timeout,
        coco=coco,
        as_json=as_json,
    )
    run(partial(AsyncClient, url, api_key=api_key))


def _said(text: str | None, labels: str | None, captions_file: Path | None) -> Words | Path:
    """What is in the pictures: the same words about all, or the table with the captions."""
    if sum(given is not None for given in (text, labels, captions_file)) != 1:
        raise typer.BadParameter("say what is in the pictures: with one of --text, --labels and --captions")
    if captions_file:
        return captions_file
    candidates = split_labels(labels or "")
    if labels is not None and not candidates:
        raise typer.BadParameter("--labels names nothing")
    return Words(text, candidates or None)


def _name(pictures: Sequence[str]) -> str:
    """What the folder for the results of many pictures is called."""
    only = Path(pictures[0]).resolve()
    return only.name if len(pictures) == 1 and only.is_dir() and only.name else "pictures"
