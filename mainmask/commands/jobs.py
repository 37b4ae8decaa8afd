"""`mainmask jobs`: what the service has been asked, and what became of it."""

from collections.abc import Callable, Iterable
from enum import StrEnum
from itertools import islice
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mainmask.client import Client
from mainmask.commands.options import ApiKey, Json, Url, print_json
from mainmask.errors import MainmaskError
from mainmask.exit_codes import ExitCode, exit_code
from mainmask.failures import told_plainly
from mainmask.jobs import Job
from mainmask.progress import busy
from mainmask.summary import print_summary

jobs = typer.Typer(no_args_is_help=True, help="List, show, retry, cancel and delete jobs.")


class JobStatus(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


Status = Annotated[JobStatus | None, typer.Option(help="Only those.", show_default="all")]
Limit = Annotated[int, typer.Option(help="How many at most, the newest first.", min=1)]
JobId = Annotated[str, typer.Argument(help="A job's id.")]
JobIds = Annotated[list[str], typer.Argument(help="Jobs' ids.")]

HOPELESS = {ExitCode.UNREACHABLE, ExitCode.KEY_REFUSED, ExitCode.OVER_QUOTA}
"""What the other jobs would meet, too."""


@jobs.command("list")
def list_jobs(
    status: Status = None, limit: Limit = 20, as_json: Json = False, url: Url = None, api_key: ApiKey = None
) -> None:
    """List jobs, the newest first. With --status failed: those that need somebody, each with its cause."""
    with told_plainly(), busy("asking"), Client(url, api_key=api_key) as client:
        found = list(islice(client.jobs(status.value if status else None), limit))
    if as_json:
        print_json([job.document for job in found])
    elif found:
        Console().print(_table(found))
    else:
        typer.echo("No jobs.")


@jobs.command()
def show(job_id: JobId, as_json: Json = False, url: Url = None, api_key: ApiKey = None) -> None:
    """Show one job: where it stands, its result, or why it failed."""
    with told_plainly(), busy("asking"), Client(url, api_key=api_key) as client:
        job = client.get(job_id)
    if as_json:
        print_json(job.document)
        return
    typer.echo(f"Job {job.id} is {job.status}.{_cause(job)}")
    print_summary(Console(), job, [])


@jobs.command()
def retry(job_ids: JobIds, as_json: Json = False, url: Url = None, api_key: ApiKey = None) -> None:
    """Start failed jobs again, each at the stage that failed."""
    with told_plainly(), Client(url, api_key=api_key) as client:
        _each(job_ids, client.retry, "queued again", as_json=as_json)


@jobs.command()
def cancel(job_ids: JobIds, as_json: Json = False, url: Url = None, api_key: ApiKey = None) -> None:
    """End jobs that have not ended."""
    with told_plainly(), Client(url, api_key=api_key) as client:
        _each(job_ids, client.cancel, "canceled", as_json=as_json)


@jobs.command()
def delete(job_ids: JobIds, as_json: Json = False, url: Url = None, api_key: ApiKey = None) -> None:
    """Remove jobs with their pictures and masks, for good; those that have not ended are canceled first."""
    with told_plainly(), Client(url, api_key=api_key) as client:
        _each(job_ids, client.delete, "deleted", as_json=as_json)


def _each(job_ids: Iterable[str], change: Callable[[str], Job | None], done: str, *, as_json: bool) -> None:
    """Change every job; one that can't be changed doesn't keep the others from it."""
    worst = ExitCode.OK
    changed: list[object] = []
    for job_id in job_ids:
        try:
            with busy(f"asking for {job_id}"):
                job = change(job_id)
        except MainmaskError as error:
            worst = exit_code(error)
            if worst in HOPELESS:
                raise
            typer.echo(str(error), err=True)
        else:
            changed.append(job.document if job else {"id": job_id, done: True})
            if not as_json:
                typer.echo(f"{job_id} is {done}.")
    if as_json:
        print_json(changed)
    if worst:
        raise typer.Exit(worst)


def _table(found: Iterable[Job]) -> Table:
    table = Table("id", "created", "status", "main object, or cause", box=None, pad_edge=False)
    for job in found:
        main_object = job.result.main_object if job.result else None
        what = main_object.label if main_object else _cause(job).strip()
        # As text: callers' labels may look like rich's markup.
        table.add_row(job.id, job.created_at.strftime("%Y-%m-%d %H:%M:%S"), job.status, Text(what))
    return table


def _cause(job: Job) -> str:
    return f" {job.error.stage}: {job.error.message}" if job.error else ""
