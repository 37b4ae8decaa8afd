"""A job's pictures and document as files."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from mainmask.client import Client
from mainmask.jobs import Job
from mainmask.options import Artifact

DOCUMENT = "job.json"
SUFFIXES: dict[Artifact, str] = {"mask": ".png", "cutout": ".png", "overlay": ".jpg"}


@dataclass(frozen=True)
class Download:
    """One picture of a job, and the file that it becomes."""

    artifact: Artifact
    instance: int
    file_name: str


def downloads(job: Job) -> Iterator[Download]:
    """Of each instance the mask, cut-out and overlay that were asked for, numbered if there are several instances."""
    count = len(job.result.instances) if job.result else 0
    made = job.document["input"].get("outputs", get_args(Artifact))
    for instance in range(count):
        number = f"-{instance + 1}" if count > 1 else ""
        for artifact in get_args(Artifact):
            if artifact in made:
                yield Download(artifact, instance, f"{artifact}{number}{SUFFIXES[artifact]}")


def document(job: Job) -> bytes:
    """What `job.json` holds."""
    return (json.dumps(job.document, indent=2, ensure_ascii=False) + "\n").encode()


def save(client: Client, job: Job, folder: Path) -> list[Path]:
    """Write `job.json`, and the pictures of `downloads`.

    Raises:
        OSError: the folder cannot be made or written.
        MainmaskError: what `Client.download` raises.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / DOCUMENT).write_bytes(document(job))
    return [*_pictures(client, job, folder), folder / DOCUMENT]


def _pictures(client: Client, job: Job, folder: Path) -> Iterator[Path]:
    for download in downloads(job):
        path = folder / download.file_name
        path.write_bytes(client.download(job, download.artifact, download.instance))
        yield path
