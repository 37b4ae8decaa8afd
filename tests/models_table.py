"""`python -m tests.models_table`: writes the tables of docs/models.md anew, from the table of models."""

import re
from collections.abc import Sequence
from pathlib import Path

from db.catalog import CHECKPOINTS
from db.checkpoints import Checkpoint
from db.profiles import PROFILES, chosen

DOCUMENT = Path(__file__).parents[1] / "docs" / "models.md"
FLOAT32 = 4
"""Bytes."""


def written(document: str) -> str:
    """The document with today's tables."""
    document = _replaced(document, "Which profile", [_profile_row(name) for name in PROFILES])
    return _replaced(document, "All models", [_row(model) for model in CHECKPOINTS.values()])


def _replaced(document: str, heading: str, rows: Sequence[str]) -> str:
    """With these rows below the head of the first table after the heading."""
    table = re.compile(rf"(^## {heading}\n.*?^\|(?:---\|)+\n)(?:\|[^\n]*\n)*", re.MULTILINE | re.DOTALL)
    return table.sub(lambda found: found[1] + "".join(f"{row}\n" for row in rows), document, count=1)


def _in_millions(parameters: int) -> str:
    """With a digit after the point where there is but one before it."""
    return f"{parameters / 1e6:,.0f} M" if parameters > 9.95e6 else f"{parameters / 1e6:.1f} M"


def _row(model: Checkpoint) -> str:
    name = f"`{model.name}`" if model.origin == "bundled" else f"[`{model.name}`]({model.origin})"
    use = "yes" if model.license.commercial_use else "**no**"
    cells = (name, model.stage, model.license.id, use, _in_millions(model.parameters), model.input_pixels, model.remark)
    return f"| {' | '.join(map(str, cells))} |".replace("|  |", "| |")


def _profile_row(name: str) -> str:
    """Its models, and what their weights take."""
    models = chosen(name).values()
    parameters = sum(model.parameters for model in models)
    gigabytes = parameters * FLOAT32 / 1e9
    size = f"{gigabytes:.1f} GB" if gigabytes > 0.1 else f"{gigabytes:.2f} GB"
    cells = (f"`{name}`", *(f"`{model.name}`" for model in models), _in_millions(parameters), size)
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    DOCUMENT.write_text(written(DOCUMENT.read_text()))
