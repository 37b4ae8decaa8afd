"""What libraries raise on files that aren't what they should be, as the project's own error."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from db.errors import CheckpointInvalid, MainmaskError

LONGEST_REASON = 300
"""In characters: libraries go on for pages."""


@contextmanager
def broken_files(where: Path) -> Iterator[None]:
    """Raise `CheckpointInvalid`, which names the file or folder, for any of their errors but a lack of memory."""
    try:
        yield
    except (MainmaskError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        # Of any kind: a config of the wrong contents fails wherever in a library it is first used.
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise CheckpointInvalid(where, reason[:LONGEST_REASON]) from error
