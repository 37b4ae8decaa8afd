"""docs/models.md against the table of models, the settings and the commands."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from db.catalog import CHECKPOINTS, PROFILES, chosen
from db.checkpoints import Checkpoint
from db.settings import Settings
from mainmask.cli import app

DOCUMENT = (Path(__file__).parents[1] / "docs" / "models.md").read_text()
FLOAT32 = 4
"""Bytes."""


def in_millions(parameters: int) -> str:
    """With a digit after the point where there is but one before it."""
    return f"{parameters / 1e6:,.0f} M" if parameters > 9.95e6 else f"{parameters / 1e6:.1f} M"


def row(model: Checkpoint) -> str:
    """The model's line."""
    name = f"`{model.name}`" if model.origin == "bundled" else f"[`{model.name}`]({model.origin})"
    use = "yes" if model.license.commercial_use else "**no**"
    cells = (name, model.stage, model.license.id, use, in_millions(model.parameters), model.input_pixels, model.remark)
    return f"| {' | '.join(map(str, cells))} |".replace("|  |", "| |")


def profile_row(name: str) -> str:
    """The profile's line: its models, and what their weights take."""
    models = chosen(name).values()
    parameters = sum(model.parameters for model in models)
    gigabytes = parameters * FLOAT32 / 1e9
    size = f"{gigabytes:.1f} GB" if gigabytes > 0.1 else f"{gigabytes:.2f} GB"
    cells = (f"`{name}`", *(f"`{model.name}`" for model in models), in_millions(parameters), size)
    return f"| {' | '.join(cells)} |"


@pytest.mark.parametrize(
    ("heading", "rows"),
    [
        ("Which profile", [profile_row(name) for name in PROFILES]),
        ("All models", [row(model) for model in CHECKPOINTS.values()]),
    ],
    ids=["profiles", "models"],
)
def test_the_tables_are_the_codes(heading: str, rows: list[str]) -> None:
    """Row by row, in the same order, and no other row."""
    section = DOCUMENT.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    _, _, table = section.partition("|---|")
    found = [line for line in table.partition("\n")[2].partition("\n\n")[0].splitlines() if line]
    assert found == rows


def test_settings_in_it_exist() -> None:
    """Under their names of today."""
    named = set(re.findall(r"MAINMASK_(\w+)", DOCUMENT))
    assert len(named) > 8
    assert named <= {name.upper() for name in Settings.model_fields}


def test_commands_in_it_exist() -> None:
    """With their options."""
    command = get_command(app)
    for line in re.findall(r"^mainmask (.+?)(?:\s+#.*)?$", DOCUMENT, re.MULTILINE):
        words = line.split()
        found = command
        while (inner := getattr(found, "commands", {}).get(words[0])) is not None:
            found, words = inner, words[1:]
        options = {option for parameter in found.params for option in parameter.opts}
        assert found is not command
        assert {word for word in words if word.startswith("--")} <= options
