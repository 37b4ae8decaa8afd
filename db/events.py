"""A job's history as numbered events, read off its rows: nothing is logged twice."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from db.models import Job, Stage
from db.states import TERMINAL, StageStatus

ENDED = frozenset({StageStatus.SUCCEEDED, StageStatus.FAILED})


@dataclass(frozen=True)
class JobEvent:
    """Something that happened; the numbers of a job's events ascend, and are the same whenever they are read."""

    number: int
    name: str
    data: dict[str, Any]
    is_last: bool = False
    """Whether it tells the job's end."""


def events(job: Job, after: int = 0) -> list[JobEvent]:
    """What has happened to a job that was loaded with its stages, after the event of this number.

    Of a stage's attempts the last one is told, with its count.
    """
    return [event for event in _events(job) if event.number > after]


def _events(job: Job) -> Iterator[JobEvent]:
    yield JobEvent(1, "job.queued", {"status": "queued"})
    # A token counts the claims of its stage, and goes on counting when a job that has failed is started again.
    claims = 0
    for stage in job.stages:
        claims += stage.token
        if stage.attempts:
            yield JobEvent(4 * claims, "stage.running", _data(stage, "running"))
            if stage.status in ENDED:
                yield JobEvent(4 * claims + 1, f"stage.{stage.status}", _data(stage, stage.status))
            elif stage.status is StageStatus.QUEUED:
                yield JobEvent(4 * claims + 1, "stage.retrying", _data(stage, "retrying"))
    if job.status in TERMINAL:
        data = {"status": job.status, "outcome": job.outcome}
        yield JobEvent(4 * claims + 2, f"job.{job.status}", data, is_last=True)


def _data(stage: Stage, status: str) -> dict[str, Any]:
    return {
        "stage": stage.name,
        "status": status,
        "attempts": stage.attempts,
        "duration_ms": stage.duration_ms if status in ENDED else None,
        "error": stage.error,
    }
