"""What libraries raise on files that aren't what they should be, as the project's own error."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError

from db.errors import CheckpointInvalid

LONGEST_REASON = 300
"""In characters: libraries go on for pages."""

RAISED = (
    AttributeError,
    EOFError,
    IndexError,
    KeyError,
    OSError,
    RuntimeError,
    SafetensorError,
    TypeError,
    UnpicklingError,
    ValueError,
)


@contextmanager
def broken_files(where: Path) -> Iterator[None]:
    """Raise `CheckpointInvalid`, which names the file or folder, for any of their errors."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RAISED as error:
        raise CheckpointInvalid(where, " ".join(str(error).split())[:LONGEST_REASON]) from error
