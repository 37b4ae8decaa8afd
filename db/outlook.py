"""How long a job that waits may take yet, from where it stands in the queue and how fast jobs ended of late."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from db.models import Job, Stage
from db.states import JobStatus, StageName, StageStatus

RECENT = timedelta(minutes=2)
FARTHEST = 10_000
"""Positions are counted no further: whoever is behind that many is told so many."""


@dataclass(frozen=True)
class Pace:
    """Of the jobs that succeeded of late: how many a second, and the median time of one from its start to its end."""

    jobs_per_second: float
    median_seconds: float


@dataclass(frozen=True)
class Outlook:
    """Jobs that come before this one, and the seconds that are left; None where nothing ended of late."""

    position: int
    seconds_left: float | None


def pace(session: Session) -> Pace | None:
    """None when nothing has succeeded of late."""
    first = select(Stage.started_at).where(Stage.job_id == Job.id, Stage.name == StageName.CLASSIFY).scalar_subquery()
    recent = (
        select((Job.finished_at - first).label("duration"))
        .where(
            Job.finished_at > func.clock_timestamp() - RECENT,
            Job.status == JobStatus.SUCCEEDED,
            Job.reused_from.is_(None),
        )
        .limit(FARTHEST)
        .subquery()
    )
    median = func.percentile_cont(0.5).within_group(recent.c.duration)
    count, duration = session.execute(select(func.count(), median).select_from(recent)).one()
    if not count or duration is None:
        return None
    return Pace(count / RECENT.total_seconds(), duration.total_seconds())


def outlook(session: Session, job: Job, recently: Pace | None) -> Outlook | None:
    """For a job that waits for its first stage, loaded with its stages; None for any other."""
    first = job.stages[0]
    if first.status is not StageStatus.QUEUED:
        return None
    ahead = (
        select(Stage.job_id)
        .where(
            Stage.status == StageStatus.QUEUED,
            Stage.name == first.name,
            or_(
                Stage.priority < first.priority,
                and_(Stage.priority == first.priority, Stage.due_at < first.due_at),
            ),
        )
        .limit(FARTHEST)
        .subquery()
    )
    position = session.scalar(select(func.count()).select_from(ahead)) or 0
    seconds = position / recently.jobs_per_second + recently.median_seconds if recently else None
    return Outlook(position, seconds)
