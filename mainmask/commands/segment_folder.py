"""`mainmask segment` with many pictures."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Console

from mainmask.async_client import AsyncClient
from mainmask.commands.options import print_json
from mainmask.errors import MainmaskError
from mainmask.exit_codes import ExitCode
from mainmask.failures import told_plainly
from mainmask.folder import coco
from mainmask.folder.manifest import Manifest, Row
from mainmask.folder.pictures import Picture
from mainmask.folder.progress import Tally, shown
from mainmask.folder.run import PATIENCE, Run
from mainmask.folder.words import Words
from mainmask.options import SubmitOptions

MANIFEST = "manifest.jsonl"
TABLE = "manifest.csv"


@dataclass(frozen=True)
class FolderRun:
    """What the command was told."""

    pictures: Sequence[tuple[Picture, Words]]
    out: Path
    options: SubmitOptions
    jobs: int
    retry_failed: bool
    timeout_seconds: float
    coco: Path | None
    as_json: bool

    def __call__(self, connect: Callable[..., AsyncClient]) -> None:
        """Work through them, and exit with what became of them; `connect` takes `retries`."""
        tally = Tally(len(self.pictures))
        with told_plainly(), Manifest.opened(self.out / MANIFEST) as manifest:
            try:
                self._work(connect, manifest, tally)
            except (MainmaskError, OSError):
                self._say_how_to_go_on(tally)
                raise
            except KeyboardInterrupt:
                self._say_how_to_go_on(tally)
                raise typer.Exit(ExitCode.INTERRUPTED) from None
            finally:
                manifest.export(self.out / TABLE)
            if self.coco:
                coco.export(manifest.rows.values(), self.out, self.coco)
        self._summarise(tally)

    def _work(self, connect: Callable[..., AsyncClient], manifest: Manifest, tally: Tally) -> None:
        async def work(on_done: Callable[[Row], None]) -> None:
            async with connect(retries=PATIENCE) as client:
                run = Run(
                    client=client,
                    manifest=manifest,
                    out=self.out,
                    options=self.options,
                    jobs=self.jobs,
                    retry_failed=self.retry_failed,
                    timeout_seconds=self.timeout_seconds,
                    on_done=on_done,
                )
                await run.work_through(self.pictures)

        with shown(Console(stderr=True, quiet=self.as_json), tally) as bar:
            asyncio.run(work(bar.advance))

    def _say_how_to_go_on(self, tally: Tally) -> None:
        typer.echo(
            f"Stopped after {tally.done} of {tally.total} pictures; "
            f"{self.out / MANIFEST} has them. The same command goes on from there.",
            err=True,
        )

    def _summarise(self, tally: Tally) -> None:
        failed = tally.counts["failed"]
        if self.as_json:
            sums = {name: tally.counts[name] for name in ("found", "not_found", "failed")}
            print_json({"pictures": tally.total, **sums, "manifest": str(self.out / MANIFEST)})
        else:
            typer.echo(f"{tally.total} pictures: {tally}. {self.out / TABLE} lists them.")
            if failed:
                typer.echo("What failed is tried again by the same command with --retry-failed.")
        if failed:
            raise typer.Exit(ExitCode.JOB_FAILED)
