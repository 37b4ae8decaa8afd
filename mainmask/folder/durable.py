"""Files that are whole whenever the power or the process goes."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


def write(path: Path, content: bytes) -> None:
    """Write the file; it is on the disk when this returns."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def replaced(path: Path) -> Iterator[TextIO]:
    """A text file to write, which takes the place of the one of this name when the block has ended well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.new")
    # The names of files may be no UTF-8.
    with unfinished.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
