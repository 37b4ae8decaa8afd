"""Options and output that several commands share."""

import json
from pathlib import Path
from typing import Annotated, Any

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

Url = Annotated[
    str | None, typer.Option(envvar="MAINMASK_URL", help="The service.", show_default="http://127.0.0.1:8000")
]

ApiKey = Annotated[
    str | None,
    typer.Option(
        "--api-key",
        envvar="MAINMASK_API_KEY",
        help="The key, if the service asks for one; in the environment, others on this machine do not see it.",
        show_default=False,
    ),
]


Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, and nothing else.")]


def print_json(document: Any) -> None:
    """Data for other programs, and nothing else, on stdout."""
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
