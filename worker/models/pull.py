"""Pulling a checkpoint: each of its files, then the list of their sums, which says that the pull has ended."""

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from db.checkpoints import Bundled, Checkpoint
from db.errors import CheckpointInvalid, CheckpointMissing
from worker.models.download import Progress, download
from worker.models.errors import DiskFailed, NotAsPublished, PullOffline, PullRunning
from worker.models.listing import PublishedFile, list_files
from worker.pipeline.model_files import (
    REVISION,
    SUMS,
    UNFINISHED,
    ModelFolder,
    check_no_others,
    check_sum,
    read_commit,
    read_sums,
)


@dataclass(frozen=True)
class Puller:
    """Fetches checkpoints into a folder of models."""

    folder: ModelFolder
    mirror: str | None = None
    offline: bool = False

    def pull(self, checkpoint: Checkpoint, progress: Callable[[str], Progress]) -> bool:
        """Make the checkpoint whole; False when it was whole already. `progress` is asked for one for each file.

        What is there and right is not fetched again. What was pulled once is trusted: another file under its name is
        refused from then on, until its folder is deleted. Raises the errors of `worker.models.errors`.
        """
        try:
            self.folder.find(checkpoint)
        except (CheckpointMissing, CheckpointInvalid) as error:
            if isinstance(checkpoint.source, Bundled):
                raise
            if self.offline:
                raise PullOffline(checkpoint.name) from error
        else:
            return False
        folder = self.folder.of(checkpoint)
        with _alone(checkpoint, folder):
            self._pull(checkpoint, folder, progress)
        return True

    def _pull(self, checkpoint: Checkpoint, folder: Path, progress: Callable[[str], Progress]) -> None:
        known = _known_sums(folder)
        listing = list_files(checkpoint, mirror=self.mirror, revision=read_commit(folder))
        check_no_others(folder, {file.name for file in listing.files})
        if listing.revision:
            _write(folder / REVISION, listing.revision + "\n")
        sums = {file.name: _make_whole(file, folder, known, progress) for file in listing.files}
        _write(folder / SUMS, "".join(f"{digest}  {name}\n" for name, digest in sums.items()))


def _make_whole(
    file: PublishedFile, folder: Path, known: Mapping[str, str], progress: Callable[[str], Progress]
) -> str:
    """The SHA-256 of the file, once it is there."""
    expected = known.get(file.name) or file.sha256
    if expected and _has_sum(folder / file.name, expected):
        return expected
    digest = download(file, folder, progress(file.name))
    if expected and digest != expected:
        (folder / file.name).unlink()
        raise NotAsPublished(file.url, "it is not the file that was pulled the first time")
    return digest


def _has_sum(path: Path, expected: str) -> bool:
    try:
        check_sum(path, expected)
    except (CheckpointInvalid, FileNotFoundError):
        return False
    return True


def _known_sums(folder: Path) -> dict[str, str]:
    try:
        return read_sums(folder / SUMS)
    except (FileNotFoundError, CheckpointInvalid):
        return {}


def _write(path: Path, text: str) -> None:
    """The whole of it or nothing."""
    part = path.with_name(path.name + UNFINISHED)
    part.write_text(text)
    part.replace(path)


@contextmanager
def _alone(checkpoint: Checkpoint, folder: Path) -> Iterator[None]:
    """One process at a time works in a checkpoint's folder; the system ends the lock with the process."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise DiskFailed(folder, error.strerror or str(error)) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise PullRunning(checkpoint.name) from error
    except OSError as error:
        raise DiskFailed(folder, error.strerror or str(error)) from error
    finally:
        os.close(descriptor)
