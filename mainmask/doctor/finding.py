"""What one check has found."""

from dataclasses import dataclass
from enum import StrEnum


class Health(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    """Works, or is not needed here; but somebody should know."""
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    name: str
    health: Health
    says: str
    remedy: str = ""
    """What to do about it."""


def ok(name: str, says: str) -> Finding:
    """All is well."""
    return Finding(name, Health.OK, says)


def warn(name: str, says: str, remedy: str = "") -> Finding:
    """Worth knowing."""
    return Finding(name, Health.WARN, says, remedy)


def fail(name: str, says: str, remedy: str) -> Finding:
    """To be mended."""
    return Finding(name, Health.FAIL, says, remedy)
