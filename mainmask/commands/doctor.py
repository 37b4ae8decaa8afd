"""`mainmask doctor`: what works here, what doesn't, and what to do about it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mainmask.address import Address
from mainmask.commands.options import DEFAULT_DATA_DIR, ApiKey, DataDir, Json, Url, print_json
from mainmask.doctor import machine, models, servers, service
from mainmask.doctor.finding import Finding, Health
from mainmask.exit_codes import ExitCode
from mainmask.failures import told_plainly
from mainmask.progress import busy

COLOURS = {Health.OK: "green", Health.WARN: "yellow", Health.FAIL: "bold red"}


def doctor(
    data_dir: DataDir = DEFAULT_DATA_DIR, as_json: Json = False, url: Url = None, api_key: ApiKey = None
) -> None:
    """Look at the service and at this machine: what is reachable, installed and whole, and what to do about the rest.

    Exits with 1 if anything fails. Settings of a service's own (MAINMASK_DATABASE_URL and the like) are tried if they
    are in the environment.
    """
    with told_plainly():
        address = Address.chosen(url, api_key)
    with busy("looking"):
        findings = [*service.check(address), *servers.check(), *machine.check(data_dir), *models.check(address)]
    if as_json:
        print_json({"checks": [asdict(finding) for finding in findings], "ok": _is_well(findings)})
    else:
        Console().print(_table(findings))
        counts = Counter(finding.health for finding in findings)
        typer.echo(", ".join(f"{counts[health]} {health}" for health in Health))
    if not _is_well(findings):
        raise typer.Exit(ExitCode.JOB_FAILED)


def _is_well(findings: Iterable[Finding]) -> bool:
    return all(finding.health is not Health.FAIL for finding in findings)


def _table(findings: Iterable[Finding]) -> Table:
    table = Table.grid(padding=(0, 2))
    for finding in findings:
        says = Text(finding.says)
        if finding.remedy:
            says.append(f"\n→ {finding.remedy}", style="dim")
        table.add_row(Text(finding.health, style=COLOURS[finding.health]), finding.name, says)
    return table
