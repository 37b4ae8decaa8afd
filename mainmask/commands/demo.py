"""`mainmask demo`: a sample picture through the whole local stack."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from mainmask import artifacts
from mainmask.client import Client
from mainmask.commands.options import DEFAULT_DATA_DIR, DataDir, Json, print_json
from mainmask.exit_codes import ExitCode
from mainmask.failures import told_plainly
from mainmask.jobs import Job
from mainmask.narration import Narration
from mainmask.progress import shown
from mainmask.stack.errors import StackRunning
from mainmask.stack.interruptions import Interruptions
from mainmask.stack.stack import Stack
from mainmask.summary import print_summary

SAMPLE = files("mainmask") / "sample"
SENTENCE = "The man skiing on his new snowboard!"

Out = Annotated[Path, typer.Option(help="Folder for the files.", file_okay=False)]


def demo(data_dir: DataDir = DEFAULT_DATA_DIR, out: Out = Path("mainmask-out/demo"), as_json: Json = False) -> None:
    """Cut a snowboard out of the bundled sample picture.

    Uses the local stack if one runs, else starts one and stops it again.
    """
    console = Console(quiet=as_json)
    with told_plainly(), _local_service(console, data_dir) as url, Client(url) as client:
        console.print(f'A picture and "{SENTENCE}"', soft_wrap=True, highlight=False)
        submitted = client.submit((SAMPLE / "snowboard.jpg").read_bytes(), SENTENCE, reuse=False)
        with shown(console) as show:
            job = client.wait(submitted, on_change=show)
        saved = artifacts.save(client, job, out)
        print_summary(console, job, saved, _fit(client, job))
    if as_json:
        print_json(job.document)
    if job.result and not job.result.found:
        raise typer.Exit(ExitCode.NOTHING_FOUND)


@contextmanager
def _local_service(console: Console, data_dir: Path) -> Iterator[str]:
    """The address of the local stack that runs in this data folder, or of one that runs for this block."""
    with (
        Interruptions() as interruptions,
        Narration(console, "starting the local stack") as narration,
        ExitStack() as own,
    ):
        try:
            url = own.enter_context(Stack(data_dir, 0, 0, narration.say, interruptions)).api_url
        except StackRunning as running:
            if running.api_url is None:
                raise
            url = running.api_url
        narration.settle()
        yield url


def _fit(client: Client, job: Job) -> dict[str, str]:
    """How well the mask fits the sample's true one, as a row of the summary."""
    # Imported here: it needs Pillow, which comes with the servers; the client and `segment` do without.
    from mainmask.truth import intersection_over_union  # noqa: PLC0415

    if not job.result or not job.result.found:
        return {}
    iou = intersection_over_union(client.download(job, "mask"), (SAMPLE / "snowboard-mask.png").read_bytes())
    return {"true IoU": f"{iou:.2f} with the sample's true mask"}
