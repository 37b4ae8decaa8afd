"""The command line: `mainmask up`, `demo`, `segment`, `jobs`, `keys`, `models`, `evaluate` and `doctor`."""

from typing import Annotated

import typer

import mainmask
from mainmask.commands.demo import demo
from mainmask.commands.doctor import doctor
from mainmask.commands.evaluate import evaluate
from mainmask.commands.jobs import jobs
from mainmask.commands.keys import keys
from mainmask.commands.models import models
from mainmask.commands.segment import segment
from mainmask.commands.up import up
from mainmask.exit_codes import MEANINGS

EPILOG = "Exit codes: " + " · ".join(f"{code.value} {meaning}" for code, meaning in MEANINGS.items())

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(epilog=EPILOG)(up)
app.command(epilog=EPILOG)(demo)
app.command(epilog=EPILOG)(segment)
app.command(epilog=EPILOG)(evaluate)
app.command(epilog=EPILOG)(doctor)
app.add_typer(jobs, name="jobs")
app.add_typer(keys, name="keys")
app.add_typer(models, name="models")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mainmask {mainmask.__version__}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)]


@app.callback(epilog=EPILOG)
def _mainmask(version: Version = False) -> None:
    """An image and some words in, the mask of the image's main object out.

    Start with `mainmask demo`; or `mainmask up`, and in another terminal:

      mainmask segment photo.jpg --text "The man skiing on his new snowboard!"
    """


def main() -> None:
    """What the command `mainmask` runs."""
    app(prog_name="mainmask")
