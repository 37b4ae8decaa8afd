"""docs/models.md against the table of models, the settings and the commands."""

import re

from typer.main import get_command

from db.catalog import CHECKPOINTS
from db.profiles import PROFILES
from db.settings import Settings
from mainmask.cli import app
from tests.models_table import DOCUMENT, written

TEXT = DOCUMENT.read_text()


def test_the_tables_are_the_codes() -> None:
    """`python -m tests.models_table` would change nothing."""
    assert written(TEXT).splitlines() == TEXT.splitlines()
    assert all(f"| `{name}` |" in TEXT for name in PROFILES)
    assert all(f"`{name}`" in TEXT.partition("## All models")[2] for name in CHECKPOINTS)


def test_settings_in_it_exist() -> None:
    """Under their names of today."""
    named = set(re.findall(r"MAINMASK_(\w+)", TEXT))
    assert len(named) > 8
    assert named <= {name.upper() for name in Settings.model_fields}


def test_commands_in_it_exist() -> None:
    """With their options."""
    command = get_command(app)
    for line in re.findall(r"^mainmask (.+?)(?:\s+#.*)?$", TEXT, re.MULTILINE):
        words = line.split()
        found = command
        while (inner := getattr(found, "commands", {}).get(words[0])) is not None:
            found, words = inner, words[1:]
        options = {option for parameter in found.params for option in parameter.opts}
        assert found is not command
        assert {word for word in words if word.startswith("--")} <= options
