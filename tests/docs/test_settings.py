"""docs/settings.md against the code."""

import re

from db.settings import Settings
from tests.docs import settings_page
from tests.docs.handbook import DOCS, ROOT, pages

PACKAGES = ("api", "db", "mainmask", "migrations", "worker", "docker")


def test_the_page_is_the_codes() -> None:
    """`make generate` writes it anew."""
    assert (DOCS / "settings.md").read_text() == settings_page.page()


def test_each_setting_says_what_it_does() -> None:
    """In its docstring."""
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_no_other_variable_is_read_or_told_of() -> None:
    """By our own code, our deployments and the pages: each has its row."""
    told = set(re.findall(r"^\| `(MAINMASK_\w+)`", settings_page.page(), re.MULTILINE))
    files = [path for name in PACKAGES for path in (ROOT / name).rglob("*") if path.is_file()]
    texts = [path.read_text(errors="ignore") for path in files if path.suffix not in {".safetensors", ".gz", ".pyc"}]
    named = {name for text in (*texts, *pages().values()) for name in re.findall(r"MAINMASK_[A-Z0-9_]*[A-Z0-9]", text)}
    assert named <= told
