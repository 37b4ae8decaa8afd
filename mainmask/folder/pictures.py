"""The pictures that somebody means: folders, glob patterns and files."""

import errno
import glob
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from mainmask.folder.errors import NoPictures

SUFFIXES = frozenset(".avif .bmp .gif .heic .heif .jpeg .jpg .png .tif .tiff .webp".split())
"""What counts as a picture in a folder; files that are named may be called anything."""


@dataclass(frozen=True)
class Picture:
    """A file, and what it is called in the manifest."""

    name: str
    """Its path below the one folder that holds them all, with slashes."""
    path: Path


def find(arguments: Sequence[str], leave_out: Path) -> list[Picture]:
    """All of them, in the order of their names, each once.

    Args:
        arguments: folders, which are searched through, files, and patterns such as `photos/**/*.jpg`.
        leave_out: a folder whose files don't count, because it holds the results.

    Raises:
        NoPictures: an argument leads to none.
        FileNotFoundError: there is no such file.
    """
    found: set[Path] = set()
    bases = []
    for argument in arguments:
        base, paths = _paths(argument)
        outside = {path for path in paths if not path.is_relative_to(_absolute(leave_out))}
        if not outside:
            raise NoPictures(argument, leave_out)
        bases.append(base)
        found |= outside
    root = Path(os.path.commonpath(bases))
    return sorted(
        (Picture(path.relative_to(root).as_posix(), path) for path in found), key=lambda picture: picture.name
    )


def are_many(arguments: Sequence[str]) -> bool:
    """Whether they may be more than one file."""
    return len(arguments) > 1 or Path(arguments[0]).is_dir() or _is_pattern(arguments[0])


def _paths(argument: str) -> tuple[Path, Iterable[Path]]:
    """The folder that all of them are in, and the absolute paths of the files."""
    path = _absolute(argument)
    if path.is_dir():
        return path, (found for found in path.rglob("*") if _is_picture(found.relative_to(path)) and found.is_file())
    if path.exists():
        return path.parent, [path]
    if not _is_pattern(argument):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), argument)
    fixed = takewhile(lambda part: not glob.has_magic(part), path.parts)
    matches = (_absolute(match) for match in glob.glob(argument, recursive=True))  # noqa: PTH207 - `**` as shells take it
    return Path(*fixed), (match for match in matches if match.is_file())


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not any(part.startswith(".") for part in path.parts)


def _is_pattern(argument: str) -> bool:
    # A file's own name may hold brackets.
    return glob.has_magic(argument) and not Path(argument).exists()


def _absolute(path: str | Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 - where links lead is no matter
