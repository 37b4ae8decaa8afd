"""`mainmask up`: the local stack, until Ctrl-C."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from mainmask.commands.options import DEFAULT_DATA_DIR, DataDir, Json, print_json
from mainmask.failures import told_plainly
from mainmask.narration import Narration
from mainmask.stack.interruptions import Interrupted, Interruptions
from mainmask.stack.stack import Stack

WELCOME = """\
[bold green]Mainmask is up.[/]
  page and API   {api}   (documentation: {api}/docs)
  Flower         {flower}
  logs           {logs}
Try: mainmask segment photo.jpg --text "…"{option}
Ctrl-C stops it; the data stays."""

DEFAULT_API_PORT = 8000

ApiPort = Annotated[int, typer.Option(help="Where the API listens; 0 takes a free port.", min=0, max=65535)]
FlowerPort = Annotated[int, typer.Option(help="Where Flower listens; 0 takes a free port.", min=0, max=65535)]


def up(
    data_dir: DataDir = DEFAULT_DATA_DIR,
    port: ApiPort = DEFAULT_API_PORT,
    flower_port: FlowerPort = 5555,
    as_json: Json = False,
) -> None:
    """Start everything on this machine, and keep it running until Ctrl-C.

    Real Postgres, Redis and S3 servers, the API with its page, a worker, and Flower; all listen on this machine only.
    Whatever ends by itself is started again.
    """
    # For other programs, stdout is one document once it is up; the news goes on, beside it.
    console = Console(stderr=as_json)
    with told_plainly(), Interruptions() as interruptions, Narration(console, "starting") as narration:
        with Stack(data_dir, port, flower_port, narration.say, interruptions) as stack:
            narration.settle()
            if as_json:
                print_json({"api_url": stack.api_url, "flower_url": stack.flower_url, "logs": str(data_dir / "logs")})
            else:
                _welcome(console, stack, data_dir)
            try:
                stack.watch()
            except Interrupted:
                narration.say("stopping")
        narration.say("stopped")


def _welcome(console: Console, stack: Stack, data_dir: Path) -> None:
    usual = stack.api_url.endswith(f":{DEFAULT_API_PORT}")
    option = "" if usual else f" --url {stack.api_url}"
    text = WELCOME.format(
        api=stack.api_url, flower=stack.flower_url, logs=escape(str(data_dir / "logs")), option=option
    )
    console.print(text, soft_wrap=True, highlight=False)
