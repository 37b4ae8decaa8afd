"""What happens when the device's memory is full."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from db.errors import OutOfMemory


@contextmanager
def memory_errors() -> Iterator[None]:
    """Raise torch's error as `OutOfMemory`, with what this call left on the device given back."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        raise OutOfMemory from error
