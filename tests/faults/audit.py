"""An account of claims and completions beside the database: what the workers themselves saw happen, and when."""

import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from db.claims import Claim

VARIABLE = "MAINMASK_FAULTS_AUDIT"
"""The environment's name for the file that all workers append to."""

Event = Literal["taken", "completed"]


@dataclass(frozen=True)
class Record:
    """One line: at `at`, by the machine's clock, the claim was committed as taken or as completed."""

    at: float
    event: Event
    stage: tuple[str, str]
    """The job's id and the stage's name."""
    token: int


def note(event: Event, claim: Claim) -> None:
    """Append a record; one write of one short line, so that processes don't mix theirs."""
    line = f"{time.time()} {event} {claim.job_id} {claim.name} {claim.token}\n"
    descriptor = os.open(os.environ[VARIABLE], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


def read(path: Path) -> list[Record]:
    """All records in the order of time."""
    return sorted(_parse(path.read_text().splitlines()), key=lambda record: record.at) if path.exists() else []


def _parse(lines: Iterable[str]) -> Iterator[Record]:
    for line in lines:
        at, event, job_id, name, token = line.split()
        yield Record(float(at), "taken" if event == "taken" else "completed", (job_id, name), int(token))


def completed_twice(records: Iterable[Record]) -> list[tuple[str, str]]:
    """The stages whose result was committed more than once."""
    counts = Counter(record.stage for record in records if record.event == "completed")
    return [stage for stage, count in counts.items() if count > 1]


@dataclass(frozen=True)
class Strike:
    """A fault: when it struck, and since when nothing but the service itself stood in the way of going on."""

    name: str
    at: float
    over_at: float


def recovery_seconds(records: list[Record], strike: Strike) -> list[float]:
    """For each claim that the strike ended, the time until its stage was taken again; from `over_at` on.

    A fault that ended no claim counts once: the time until any stage is completed after it.
    """
    completed = {(record.stage, record.token) for record in records if record.event == "completed"}
    before = {record.stage: record for record in records if record.event == "taken" and record.at <= strike.at}
    interrupted = [taken for taken in before.values() if (taken.stage, taken.token) not in completed]
    retaken = [
        min(again)
        for taken in interrupted
        if (again := [r.at for r in records if r.event == "taken" and r.stage == taken.stage and r.at > strike.at])
    ]
    if retaken:
        return [max(0.0, at - strike.over_at) for at in retaken]
    next_done = [record.at for record in records if record.event == "completed" and record.at > strike.over_at]
    return [min(next_done) - strike.over_at] if next_done else []
