"""The manifest: one line for each picture that has been dealt with, written so that a kill loses nothing."""

import csv
import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from mainmask.folder.durable import replaced
from mainmask.folder.errors import BadManifest, ManifestInUse
from mainmask.jobs import Box, Job


@dataclass(frozen=True, kw_only=True)
class Row:
    """What became of one picture."""

    path: str
    """The picture's name: its path below the folder."""
    status: str
    """succeeded or failed."""
    outcome: str | None = None
    """found or not_found, of one that succeeded."""
    label: str | None = None
    score: float | None = None
    ambiguous: bool | None = None
    box: Box | None = None
    """Of the first instance: left, top, right and bottom in pixels of the upright picture."""
    area: int | None = None
    """Of its mask, in pixels."""
    instances: int = 0
    error_type: str | None = None
    """The end of the problem's type, or the job's error; see docs/errors.md."""
    error_message: str | None = None
    job_id: str | None = None
    sha256: str | None = None
    """Of the file; None where it could not be read."""
    key: str | None = None
    """Of the file, the words and the options: another one is another question."""
    attempt: int = 1
    """Counts how often this question was asked."""
    files: Mapping[str, str] | None = None
    """Of an answer: the names of its files, with what `results.digest` says of each."""

    @property
    def succeeded(self) -> bool:
        """Whether there is an answer; that nothing was found is one, too."""
        return self.status == "succeeded"

    @classmethod
    def of_answer(cls, job: Job, **about: Any) -> Self:
        """The row of a job that succeeded."""
        result = job.result
        main = result.main_object if result else None
        instances = result.instances if result else ()
        return cls(
            status="succeeded",
            outcome=result.outcome if result else None,
            label=main.label if main else None,
            score=main.score if main else None,
            ambiguous=main.ambiguous if main else None,
            box=instances[0].box if instances else None,
            area=instances[0].area if instances else None,
            instances=len(instances),
            job_id=job.id,
            **about,
        )


class Manifest:
    """The rows, by the pictures' names. The last line of a picture counts."""

    def __init__(self, path: Path, descriptor: int, rows: dict[str, Row]) -> None:
        self.path = path
        self.rows = rows
        self._descriptor = descriptor

    @classmethod
    @contextmanager
    def opened(cls, path: Path) -> Iterator[Self]:
        """The file, made if need be, for this process alone. What a kill left half-written of a line is cut off.

        Raises:
            ManifestInUse: another process has it.
            BadManifest: it is something else.
            OSError: it cannot be read or written.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o644)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ManifestInUse(path) from error
            yield cls(path, descriptor, _read(path, descriptor))
        finally:
            os.close(descriptor)

    def append(self, row: Row) -> None:
        """Add a row; it is on the disk when this returns."""
        line = json.dumps(asdict(row)).encode() + b"\n"
        while line:
            line = line[os.write(self._descriptor, line) :]
        os.fsync(self._descriptor)
        self.rows[row.path] = row

    def export(self, path: Path) -> None:
        """The rows as a CSV in the order of their names, each picture once."""
        names = [field.name for field in fields(Row)]
        with replaced(path) as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(names)
            for _, row in sorted(self.rows.items()):
                table.writerow([_cell(getattr(row, name)) for name in names])


def _cell(value: Any) -> Any:
    return " ".join(map(str, value)) if isinstance(value, Iterable) and not isinstance(value, str) else value


def _read(path: Path, descriptor: int) -> dict[str, Row]:
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.ftruncate(descriptor, whole)
    rows = {}
    for number, line in enumerate(content[:whole].splitlines(), start=1):
        try:
            row = Row(**json.loads(line))
        except (TypeError, ValueError) as error:
            raise BadManifest(path, number) from error
        rows[row.path] = row
    return rows
