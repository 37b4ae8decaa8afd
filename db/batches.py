"""Batches: jobs that were submitted in one call, counted down as they end. Nothing here commits."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import case, delete, exists, func, select, update
from sqlalchemy.orm import Session

from db import outbox
from db.errors import BatchNotFound
from db.models import Batch, Job
from db.states import JobStatus


@dataclass(frozen=True, kw_only=True)
class NewBatch:
    """What a caller says of all the jobs together: how many there are, and how many of them have not ended."""

    id: UUID
    tenant: str
    total: int
    remaining: int
    caller_metadata: dict[str, Any] = field(default_factory=dict)
    webhook_url: str | None = None


def create(session: Session, new: NewBatch) -> Batch:
    """Insert the batch, before its jobs."""
    finished_at = None if new.remaining else func.clock_timestamp()
    batch = Batch(**asdict(new), finished_at=finished_at)
    session.add(batch)
    session.flush()
    if not new.remaining:
        outbox.batch_completed(session, batch)
    session.refresh(batch, ["finished_at"])
    return batch


def find(session: Session, tenant: str, batch_id: UUID) -> Batch:
    """The tenant's own batch; raises `BatchNotFound`."""
    batch = session.scalar(select(Batch).where(Batch.id == batch_id, Batch.tenant == tenant))
    if batch is None:
        raise BatchNotFound(batch_id)
    return batch


def counts(session: Session, batch_id: UUID) -> Mapping[JobStatus, int]:
    """How many of its jobs are in each state. Jobs that were deleted are in none."""
    rows = session.execute(select(Job.status, func.count()).where(Job.batch_id == batch_id).group_by(Job.status))
    return dict.fromkeys(JobStatus, 0) | {row[0]: row[1] for row in rows}


def job_ended(session: Session, batch_id: UUID) -> None:
    """One job of it less to wait for; the batch is finished with the last."""
    batch = session.scalar(
        update(Batch)
        .where(Batch.id == batch_id)
        .values(
            remaining=Batch.remaining - 1,
            finished_at=case((Batch.remaining == 1, func.clock_timestamp()), else_=Batch.finished_at),
        )
        .returning(Batch)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    if batch is not None and batch.remaining == 0:
        outbox.batch_completed(session, batch)


def job_resumed(session: Session, batch_id: UUID) -> None:
    """A job of it that had ended runs again."""
    session.execute(
        update(Batch)
        .where(Batch.id == batch_id)
        .values(remaining=Batch.remaining + 1, finished_at=None)
        .execution_options(synchronize_session=False)
    )


def expire(session: Session, age: timedelta, limit: int) -> int:
    """Remove those that were finished longer ago than `age` and have no jobs any more; returns how many."""
    found = (
        select(Batch.id)
        .where(Batch.finished_at < func.clock_timestamp() - age, ~exists().where(Job.batch_id == Batch.id))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    removed = session.scalars(
        delete(Batch).where(Batch.id.in_(found)).returning(Batch.id).execution_options(synchronize_session=False)
    )
    return len(removed.all())
