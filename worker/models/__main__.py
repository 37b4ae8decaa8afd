"""`python -m worker.models pull|verify [NAME …]`: what `mainmask models` runs where the workers are installed."""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from db.catalog import CHECKPOINTS
from db.checkpoints import Checkpoint
from db.errors import CheckpointInvalid, CheckpointMissing, MainmaskError
from db.profiles import PROFILES, chosen
from db.settings import Settings, settings
from worker.models.errors import UnknownName
from worker.models.pull import Puller
from worker.pipeline.model_files import ModelFolder

INTERRUPTED = 130
TRUE = {"1", "true", "yes", "on"}
"""What the hub's own library takes for it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Pull or verify; returns the exit code: 0 when all are whole, 1 when not, 2 for wrong usage."""
    parser = argparse.ArgumentParser(prog="mainmask models", description=__doc__)
    parser.add_argument("command", choices=["pull", "verify"])
    parser.add_argument("names", nargs="*", metavar="NAME", help="profiles or models; those of the settings if none")
    parser.add_argument("--json", action="store_true", help="print what became of each, nothing else")
    options = parser.parse_args(arguments)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        config = settings()
        checkpoints = _named(options.names) if options.names else _of(config)
        run = _pull if options.command == "pull" else _verify
        found = run(checkpoints, config, console)
        if options.json:
            sys.stdout.write(json.dumps(found, indent=2) + "\n")
        return 0 if all(one["whole"] for one in found) else 1
    except ValidationError as error:
        console.print(f"The settings are wrong: {error}", style="red", markup=False)
        return 2
    except MainmaskError as error:
        console.print(str(error), style="red", markup=False)
        return 2 if isinstance(error, UnknownName) else 1
    except KeyboardInterrupt:
        console.print("Interrupted. Run it again: it goes on where it stopped.")
        return INTERRUPTED


def _named(names: Sequence[str]) -> list[Checkpoint]:
    found: dict[str, Checkpoint] = {}
    for name in names:
        if name in PROFILES:
            found |= {checkpoint.name: checkpoint for checkpoint in chosen(name).values()}
        elif name in CHECKPOINTS:
            found[name] = CHECKPOINTS[name]
        else:
            raise UnknownName(name, list(PROFILES), list(CHECKPOINTS))
    return list(found.values())


def _of(config: Settings) -> list[Checkpoint]:
    """All that a worker with these settings needs."""
    own = {checkpoint.name: checkpoint for checkpoint in config.checkpoints.values()}
    return list((own | config.lent_checkpoints).values())


def _pull(checkpoints: Sequence[Checkpoint], config: Settings, console: Console) -> list[dict[str, Any]]:
    offline = config.models_offline or os.environ.get("HF_HUB_OFFLINE", "").lower() in TRUE
    mirror = str(config.models_mirror) if config.models_mirror else None
    puller = Puller(ModelFolder(config.models_dir), mirror, offline)
    found = []
    for checkpoint in checkpoints:
        if not checkpoint.license.commercial_use:
            console.print(
                f"{checkpoint.name} is under {checkpoint.license.id}: not for commercial use.", style="yellow"
            )
        with _bars(console) as bars:
            pulled = puller.pull(checkpoint, partial(Bar, bars))
        console.print(f"{checkpoint.name}: {'pulled' if pulled else 'was whole already'}")
        found.append({"name": checkpoint.name, "whole": True, "pulled": pulled})
    return found


def _verify(checkpoints: Sequence[Checkpoint], config: Settings, console: Console) -> list[dict[str, Any]]:
    folder = ModelFolder(config.models_dir)
    found: list[dict[str, Any]] = []
    for checkpoint in checkpoints:
        try:
            files = folder.find(checkpoint)
        except (CheckpointMissing, CheckpointInvalid) as error:
            state = "missing" if isinstance(error, CheckpointMissing) else "damaged"
            broken = {"whole": False, "state": state, "folder": str(folder.of(checkpoint)), "error": str(error)}
            found.append({"name": checkpoint.name, **broken})
            console.print(str(error), style="red", markup=False)
        else:
            whole = {"whole": True, "state": "whole", "sha256": files.sha256, "folder": str(files.folder)}
            found.append({"name": checkpoint.name, **whole})
            console.print(f"{checkpoint.name}: whole, sha256 {files.sha256[:12]}… in {files.folder}", markup=False)
    return found


@contextmanager
def _bars(console: Console) -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as bars:
        yield bars


class Bar:
    """The progress of one file."""

    def __init__(self, bars: Progress, file: str) -> None:
        self._bars = bars
        self._task = bars.add_task(file, total=None)

    def __call__(self, done: int, total: int | None) -> None:
        """So many bytes are there."""
        self._bars.update(self._task, completed=done, total=total)


if __name__ == "__main__":
    sys.exit(main())
