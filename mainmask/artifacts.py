"""A job's pictures and document as files."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from mainmask.client import Client
from mainmask.jobs import Job
from mainmask.options import Artifact


def save(client: Client, job: Job, folder: Path) -> list[Path]:
    """Write `job.json`, and of each instance `mask.png`, `cutout.png` and `overlay.png`, numbered if there are several.

    Raises:
        OSError: the folder cannot be made or written.
        MainmaskError: what `Client.download` raises.
    """
    folder.mkdir(parents=True, exist_ok=True)
    document = folder / "job.json"
    document.write_text(json.dumps(job.document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return [*_pictures(client, job, folder), document]


def _pictures(client: Client, job: Job, folder: Path) -> Iterator[Path]:
    count = len(job.result.instances) if job.result else 0
    for instance in range(count):
        suffix = f"-{instance + 1}" if count > 1 else ""
        for artifact in get_args(Artifact):
            path = folder / f"{artifact}{suffix}.png"
            path.write_bytes(client.download(job, artifact, instance))
            yield path
