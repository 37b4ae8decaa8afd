"""A job's history as numbered events, read off its rows: nothing is logged twice."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from db.models import Job, Stage
from db.states import TERMINAL, StageStatus

STAGE_NUMBERS = 10_000
"""More than twice the attempts that a stage could have."""
LAST_NUMBER = 10 * STAGE_NUMBERS
ENDED = frozenset({StageStatus.SUCCEEDED, StageStatus.FAILED})


@dataclass(frozen=True)
class JobEvent:
    """Something that happened; the numbers of a job's events ascend, and are the same whenever they are read."""

    number: int
    name: str
    data: dict[str, Any]

    @property
    def is_last(self) -> bool:
        """Whether it tells the job's end."""
        return self.number == LAST_NUMBER


def events(job: Job, after: int = 0) -> list[JobEvent]:
    """What has happened to a job that was loaded with its stages, after the event of this number.

    Of a stage's attempts the last one is told, with its count. A job that was started again after its end begins anew.
    """
    happened = list(_events(job))
    if after >= LAST_NUMBER and job.status not in TERMINAL:
        after = 0
    return [event for event in happened if event.number > after]


def _events(job: Job) -> Iterator[JobEvent]:
    yield JobEvent(1, "job.queued", {"status": "queued"})
    for stage in job.stages:
        if stage.attempts:
            number = (stage.position + 1) * STAGE_NUMBERS + 2 * stage.attempts
            yield JobEvent(number, "stage.running", _data(stage, "running"))
            if stage.status in ENDED:
                yield JobEvent(number + 1, f"stage.{stage.status}", _data(stage, stage.status))
            elif stage.status is StageStatus.QUEUED:
                yield JobEvent(number + 1, "stage.retrying", _data(stage, "retrying"))
    if job.status in TERMINAL:
        yield JobEvent(LAST_NUMBER, f"job.{job.status}", {"status": job.status, "outcome": job.outcome})


def _data(stage: Stage, status: str) -> dict[str, Any]:
    return {
        "stage": stage.name,
        "status": status,
        "attempts": stage.attempts,
        "duration_ms": stage.duration_ms if status in ENDED else None,
        "error": stage.error,
    }
