"""What can be wrong with a dataset."""

from db.errors import MainmaskError

WRONG = (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)
"""What reading a file of any content may raise."""


class DatasetInvalid(MainmaskError):
    """The dataset can't be read, or holds nothing to measure on."""

    code = "dataset-invalid"

    def __init__(self, path: object, reason: str) -> None:
        super().__init__(f"The dataset {path} can't be used: {reason}.")


class QuestionInvalid(MainmaskError):
    """One question of a dataset can't be asked."""

    code = "question-invalid"

    def __init__(self, path: object, reason: str) -> None:
        super().__init__(f"{path}: {reason}")


def in_words(error: Exception) -> str:
    """What is wrong: a key alone says too little, and what we raise ourselves says enough."""
    if isinstance(error, KeyError):
        return f"it has no {error}"
    return str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}"
