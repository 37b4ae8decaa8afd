"""What libraries raise on files that aren't what they should be, as the project's own error."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from db.errors import AnswerNotFinite, CheckpointInvalid, MainmaskError

LONGEST_REASON = 300
"""In characters: libraries go on for pages."""


@contextmanager
def broken_files(where: object) -> Iterator[None]:
    """Raise `CheckpointInvalid`, which names that file, folder or model, for all of their errors but lack of memory."""
    try:
        yield
    except AnswerNotFinite as error:
        raise CheckpointInvalid(where, str(error)) from error
    except (MainmaskError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        # Of any kind: a config of the wrong contents fails wherever in a library it is first used.
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise CheckpointInvalid(where, reason[:LONGEST_REASON]) from error
