"""What the pages name is there: files, tests, and settings with their defaults."""

import re
from pathlib import Path

import pytest

from db.settings import Settings
from tests.docs.handbook import ROOT, pages

PAGES = pages()
FOLDERS = ("api", "db", "docker", "docs", "mainmask", "migrations", "tests", "worker", ".ci")
MADE_BY_THEIR_READER = {"docker/.env", "docker/settings.env"}
DEFAULT = re.compile(r"`MAINMASK_(\w+)` \(([\d.,]+)\)")


def code(text: str) -> list[str]:
    """What stands between backticks, outside of blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


@pytest.mark.parametrize("name", PAGES)
def test_files_that_are_named_are_there(name: str) -> None:
    """Whatever begins as a path of the repository, and ends like a file or a folder; models have slashes, too."""
    for path in code(PAGES[name]):
        if path.startswith(tuple(f"{folder}/" for folder in FOLDERS)) and re.fullmatch(r"[\w./-]+(\.\w+|/)", path):
            assert (ROOT / path).exists() or path in MADE_BY_THEIR_READER, path


@pytest.mark.parametrize("name", PAGES)
def test_tests_that_are_named_are_there(name: str) -> None:
    """A claim that a test proves it is lost with the test."""
    defined = set(re.findall(r"def (test_\w+)", "\n".join(map(Path.read_text, (ROOT / "tests").rglob("test_*.py")))))
    assert {said for said in code(PAGES[name]) if re.fullmatch(r"test_\w+", said)} <= defined


@pytest.mark.parametrize("name", PAGES)
def test_settings_that_are_named_are_there_with_their_defaults(name: str) -> None:
    """Written as `MAINMASK_LEASE_SECONDS` (6)."""
    for setting, value in DEFAULT.findall(PAGES[name]):
        default = Settings.model_fields[setting.lower()].default
        assert float(value.replace(",", "")) == float(default), setting
