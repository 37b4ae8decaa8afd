"""What can be wrong with a dataset."""

from db.errors import MainmaskError


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
