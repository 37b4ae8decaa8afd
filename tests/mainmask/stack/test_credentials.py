"""The stack's passwords and keys."""

import stat
from pathlib import Path

from mainmask.stack.credentials import Credentials


def test_they_are_made_once(tmp_path: Path) -> None:
    """The next start finds the same, or it could not open its own data."""
    path = tmp_path / "credentials.json"
    assert Credentials.kept_in(path) == Credentials.kept_in(path)


def test_they_are_the_owners_alone(tmp_path: Path) -> None:
    """Nobody else can read the file."""
    Credentials.kept_in(tmp_path / "credentials.json")
    assert stat.S_IMODE((tmp_path / "credentials.json").stat().st_mode) == 0o600


def test_no_two_stacks_share_them() -> None:
    """They are random, and differ from one another."""
    first, second = Credentials(), Credentials()
    assert first != second
    assert first.postgres_password != first.redis_password
