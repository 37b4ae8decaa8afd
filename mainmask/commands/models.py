"""`mainmask models`: which models there are, and fetching them to the machines of the workers."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from mainmask.client import Client
from mainmask.commands.options import ApiKey, Json, Url, print_json
from mainmask.failures import told_plainly
from mainmask.progress import busy
from mainmask.worker_side import run

models = typer.Typer(no_args_is_help=True, help="List the models, and fetch their files for the workers.")

ROOMY_COLUMNS = 100
"""Of a terminal: in a narrower one the names of models would be folded to shreds to show their revisions, too."""
REVISION_CHARACTERS = 12

Names = Annotated[
    list[str] | None,
    typer.Argument(help="Profiles (base, large) or models.", show_default="what this machine's settings need"),
]


@models.command("list")
def list_models(as_json: Json = False, url: Url = None, api_key: ApiKey = None) -> None:
    """List all models that the service knows: which of them answer, which a job may ask for, and their licences.

    --json has all that is known of them: where their files come from and their whole checksums, too.
    """
    with told_plainly(), busy("asking"), Client(url, api_key=api_key) as client:
        table = client.models()
    if as_json:
        print_json(dict(table))
    else:
        console = Console()
        console.print(_table(table["models"], is_roomy=console.width >= ROOMY_COLUMNS))


@models.command()
def pull(names: Names = None, as_json: Json = False) -> None:
    """Fetch models' files to this machine; interrupted, it goes on where it stopped.

    Only where the workers are installed. MAINMASK_MODELS_DIR says where to, MAINMASK_MODELS_MIRROR where from.
    """
    run("worker.models", "pull", *_arguments(names, as_json=as_json))


@models.command()
def verify(names: Names = None, as_json: Json = False) -> None:
    """Read models' files on this machine through, and compare them with their checksums."""
    run("worker.models", "verify", *_arguments(names, as_json=as_json))


def _arguments(names: list[str] | None, *, as_json: bool) -> list[str]:
    return [*(names or []), *(["--json"] if as_json else [])]


def _table(found: Iterable[Mapping[str, Any]], *, is_roomy: bool) -> Table:
    # Whole, however narrow the terminal: `pull` takes it.
    name = Column("model", overflow="fold")
    # The room is the names': what more is said of a few models takes lines of its own.
    licence, here = Column("licence", max_width=12), Column("here", max_width=14)
    table = Table("stage", name, "size", "pixels", licence, here, box=None, padding=(0, 1, 0, 0), pad_edge=False)
    if is_roomy:
        table.add_column("revision")
    for model in found:
        table.add_row(*_cells(model), *([_revision(model)] if is_roomy else []))
    return table


def _cells(model: Mapping[str, Any]) -> list[str | Text]:
    use = "" if model["commercial_use"] else " (not commercial)"
    size, pixels = f"{model['parameters'] / 1e6:,.0f} M", str(model["input_pixels"])
    return [model["stage"], Text(model["name"]), size, pixels, f"{model['license']}{use}", _here(model)]


def _revision(model: Mapping[str, Any]) -> str:
    """The beginning of its weights' SHA-256: of those that a worker has, else of the published ones."""
    return str(model["revision"] or model["sha256"] or "")[:REVISION_CHARACTERS]


def _here(model: Mapping[str, Any]) -> str:
    """What it is to this service."""
    role = "default" if model["default"] else "on request" if model["lent"] else ""
    return f"{role}, no worker has it" if role and not model["ready"] else role
