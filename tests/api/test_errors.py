"""The table of errors in the documentation."""

import re
from pathlib import Path

from api import errors as api_errors
from api.problems import STATUSES
from db import errors as db_errors
from db.errors import MainmaskError
from worker.retries import POLICIES

DOCUMENT = (Path(__file__).parents[2] / "docs" / "errors.md").read_text()
ROWS = {
    code: line.split("|")[2].strip()
    for line in DOCUMENT.splitlines()
    if line.startswith("| `")
    for code in re.findall(r"`([a-z-]+)`", line.split("|")[1])
}


def all_errors() -> list[type[MainmaskError]]:
    """Every error class that there is."""
    found = [*vars(api_errors).values(), *vars(db_errors).values()]
    return [
        one for one in found if isinstance(one, type) and issubclass(one, MainmaskError) and one is not MainmaskError
    ]


def test_every_error_is_documented() -> None:
    """By its code; and no code is documented that there is none of."""
    codes = {error.code for error in all_errors()}
    documented = set(re.findall(r"`([a-z-]+)`", DOCUMENT))
    assert codes <= documented, codes - documented
    built_in = {"invalid-request", "bad-request", "not-found", "method-not-allowed", "database-unavailable", "internal"}
    assert set(ROWS) <= codes | built_in


def test_the_documented_statuses_are_those_that_are_answered() -> None:
    """As the one table in the code says."""
    for error, status in STATUSES.items():
        rows = [line for line in DOCUMENT.splitlines() if line.startswith(f"| `{error.code}` | {int(status)} |")]
        assert rows, (error.code, status)


def test_the_documented_retries_are_the_policies() -> None:
    """How often a stage is tried in all."""
    for error, backoff in next(iter(POLICIES.values())).retryable.items():
        if issubclass(error, MainmaskError) and error.code in {"fetch-unavailable", "storage-unavailable"}:
            row = next(line for line in DOCUMENT.splitlines() if f"`{error.code}`" in line and "times" in line)
            assert f"{backoff.attempts} times" in row
