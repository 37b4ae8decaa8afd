"""What is said about each picture: the same about all, or a caption of its own from a table."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mainmask.folder.errors import BadCaptions
from mainmask.folder.pictures import Picture
from mainmask.options import SubmitOptions

NAMED = 3
"""So many pictures are named when captions are missing."""


@dataclass(frozen=True)
class Words:
    """A description, or the candidates instead."""

    description: str | None = None
    labels: tuple[str, ...] | None = None

    def added_to(self, options: SubmitOptions) -> SubmitOptions:
        """The options with the labels, if there are any."""
        return {**options, "labels": list(self.labels)} if self.labels else options


def split_labels(text: str) -> tuple[str, ...]:
    """The labels of `man, snowboard`."""
    return tuple(label.strip() for label in text.split(",") if label.strip())


def captions(path: Path, pictures: Sequence[Picture]) -> list[Words]:
    """The words of each picture, from a CSV with the columns `path`, and `text` or `labels`.

    A picture's path is the one that the manifest calls it by, or the absolute one.

    Raises:
        OSError: the file cannot be read.
        BadCaptions: it is no such table, or lacks pictures.
    """
    by_path = _read(path)
    found = [by_path.get(picture.name) or by_path.get(str(picture.path)) for picture in pictures]
    missing = [picture.name for picture, words in zip(pictures, found, strict=True) if words is None]
    if missing:
        named = ", ".join(missing[:NAMED]) + (", …" if len(missing) > NAMED else "")
        raise BadCaptions(path, f"{len(missing)} pictures have no caption: {named}")
    return [words for words in found if words]


def _read(path: Path) -> dict[str, Words]:
    by_path: dict[str, Words] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            columns = set(table.fieldnames or ())
            if "path" not in columns or not columns & {"text", "labels"}:
                raise BadCaptions(path, "its first line must name the columns: path,text or path,labels")
            for row in table:
                name = row["path"] or ""
                if name in by_path:
                    raise BadCaptions(path, f"line {table.line_num}: {name} is there twice")
                by_path[name] = _words(path, table.line_num, row)
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadCaptions(path, f"it is no CSV in UTF-8: {error}") from error
    return by_path


def _words(path: Path, line: int, row: dict[str, str]) -> Words:
    text, labels = (row.get("text") or "").strip(), split_labels(row.get("labels") or "")
    if bool(text) == bool(labels):
        raise BadCaptions(path, f"line {line} must have either a text or labels")
    return Words(text or None, labels or None)
