"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_DATA_DIR = Path(".data/stack")

DataDir = Annotated[
    Path,
    typer.Option(
        envvar="MAINMASK_DATA_DIR",
        help="Where the local stack keeps its data, from one run to the next.",
        file_okay=False,
    ),
]
