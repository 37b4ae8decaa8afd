"""`mainmask keys`: who may use the service, what for, and how much."""

from collections.abc import Iterable
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from mainmask.client import Client
from mainmask.commands.options import ApiKey, Json, Url, print_json
from mainmask.failures import told_plainly
from mainmask.keys import Key
from mainmask.progress import busy

keys = typer.Typer(
    no_args_is_help=True,
    help="Make, list and revoke keys. This takes a key with the scope admin: the first one is the service's own "
    "setting MAINMASK_ADMIN_KEY.",
)

Name = Annotated[str, typer.Argument(help="What people call it.")]
Tenant = Annotated[
    str | None, typer.Option(help="Whose jobs it sees: a-z 0-9 . _ -; one of its own unless given.", show_default=False)
]
Scopes = Annotated[
    list[str] | None,
    typer.Option(
        "--scope", help="jobs:read, jobs:write or admin; may be repeated.", show_default="jobs:read and jobs:write"
    ),
]
RequestsPerMinute = Annotated[int | None, typer.Option(help="At most so many.", min=1, show_default="no limit")]
JobsInFlight = Annotated[
    int | None, typer.Option(help="So many of its tenant's jobs may not have ended.", min=1, show_default="no limit")
]
BytesPerDay = Annotated[
    int | None, typer.Option(help="So much it may send with submissions.", min=1, show_default="no limit")
]
KeyId = Annotated[str, typer.Argument(help="A key's id.")]

ID_CHARACTERS = 36


@keys.command()
def create(  # noqa: PLR0913, PLR0917 - one parameter for each option
    name: Name,
    tenant: Tenant = None,
    scope: Scopes = None,
    requests_per_minute: RequestsPerMinute = None,
    jobs_in_flight: JobsInFlight = None,
    bytes_per_day: BytesPerDay = None,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Make a key. It is the one line on stdout, and is not shown again."""
    with told_plainly(), busy("asking"), Client(url, api_key=api_key) as client:
        created = client.create_key(
            name,
            tenant=tenant,
            scopes=scope or None,
            requests_per_minute=requests_per_minute,
            jobs_in_flight=jobs_in_flight,
            bytes_per_day=bytes_per_day,
        )
    if as_json:
        print_json(created.document)
        return
    typer.echo(f"Key {created.id} of the tenant {created.tenant}: {_may(created)}. Not shown again:", err=True)
    typer.echo(created.key)


@keys.command("list")
def list_keys(as_json: Json = False, url: Url = None, api_key: ApiKey = None) -> None:
    """List all keys, the newest first, the revoked ones too."""
    with told_plainly(), busy("asking"), Client(url, api_key=api_key) as client:
        found = list(client.keys())
    if as_json:
        print_json([key.document for key in found])
    elif found:
        Console().print(_table(found))
    else:
        typer.echo("No keys.")


@keys.command()
def revoke(key_id: KeyId, as_json: Json = False, url: Url = None, api_key: ApiKey = None) -> None:
    """End a key, within seconds. Its tenant's jobs stay, for the tenant's other keys."""
    with told_plainly(), busy("asking"), Client(url, api_key=api_key) as client:
        client.revoke_key(key_id)
    if as_json:
        print_json({"id": key_id, "revoked": True})
    else:
        typer.echo(f"{key_id} is revoked.")


def _table(found: Iterable[Key]) -> Table:
    # Whole, however narrow the terminal: `revoke` takes it.
    key_id = Column("id", min_width=ID_CHARACTERS)
    table = Table(key_id, "name", "tenant", "may", "created", "revoked", box=None, pad_edge=False)
    for key in found:
        created, revoked = (
            moment.strftime("%Y-%m-%d %H:%M:%S") if moment else "" for moment in (key.created_at, key.revoked_at)
        )
        # A name is no markup.
        table.add_row(key.id, Text(key.name), key.tenant, _may(key), created, revoked)
    return table


def _may(key: Key) -> str:
    """Its scopes and quotas."""
    quotas = {
        "requests/min": key.requests_per_minute,
        "jobs in flight": key.jobs_in_flight,
        "bytes/day": key.bytes_per_day,
    }
    return ", ".join([*key.scopes, *(f"{quota} {unit}" for unit, quota in quotas.items() if quota is not None)])
