"""What the sweep looks for. Rows are locked as they are found, and locked ones are passed over: sweeps may overlap."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import Session

from db.claims import Claim
from db.models import Job, Stage, Upload
from db.states import TERMINAL, StageName, StageStatus


def expired_claims(session: Session, limit: int) -> list[Claim]:
    """The claims whose leases have run out, locked until the transaction ends."""
    rows = session.execute(
        select(Stage.job_id, Stage.name, Stage.token, Stage.attempts)
        .where(Stage.status == StageStatus.RUNNING, Stage.lease_expires_at < func.clock_timestamp())
        .order_by(Stage.lease_expires_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [Claim(row.job_id, row.name, row.token, row.attempts) for row in rows]


def due_count(session: Session, name: StageName) -> int:
    """How many stages of this name wait for a worker now."""
    query = select(func.count()).where(
        Stage.status == StageStatus.QUEUED, Stage.name == name, Stage.due_at <= func.clock_timestamp()
    )
    return session.scalar(query) or 0


def mark_resent(session: Session, name: StageName, silence: timedelta, limit: int) -> list[tuple[UUID, int]]:
    """Jobs whose stage is due and was last sent longer ago than `silence`, the longest first, now marked as sent.

    Their messages are to be sent after the commit, with the priorities that are returned.
    """
    now = func.clock_timestamp()
    lost = _waiting(name).where(Stage.due_at <= now, Stage.sent_at < now - silence).order_by(Stage.sent_at).limit(limit)
    return _mark_sent(session, name, lost)


def promote(session: Session, name: StageName, age: timedelta, limit: int) -> list[tuple[UUID, int]]:
    """The stages that have waited longest for their turn, and longer than `age`, now first in line: priority 0.

    Their messages are to be sent after the commit.
    """
    behind = (
        _waiting(name)
        .where(Stage.priority > 0, Stage.due_at < func.clock_timestamp() - age)
        .order_by(Stage.due_at)
        .limit(limit)
    )
    return _mark_sent(session, name, behind, priority=0)


def _waiting(name: StageName) -> Select[UUID]:
    return select(Stage.job_id).where(Stage.status == StageStatus.QUEUED, Stage.name == name)


def _mark_sent(session: Session, name: StageName, jobs: Select[UUID], **values: Any) -> list[tuple[UUID, int]]:
    found = jobs.with_for_update(skip_locked=True).cte("found")
    marked = session.execute(
        update(Stage)
        .where(Stage.job_id == found.c.job_id, Stage.name == name)
        .values(sent_at=func.clock_timestamp(), **values)
        .returning(Stage.job_id, Stage.priority)
        .execution_options(synchronize_session=False)
    )
    return [(row.job_id, row.priority) for row in marked]


def finished_before(session: Session, age: timedelta, limit: int) -> list[UUID]:
    """Jobs that ended longer ago than `age`, locked until the transaction ends."""
    query = (
        select(Job.id)
        .where(Job.status.in_(TERMINAL), Job.finished_at < func.clock_timestamp() - age)
        .order_by(Job.finished_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return list(session.scalars(query))


def unknown(session: Session, table: type[Job | Upload], ids: Collection[UUID]) -> list[UUID]:
    """Those of the ids that no row has."""
    known = set(session.scalars(select(table.id).where(table.id.in_(ids))))
    return [one for one in ids if one not in known]
