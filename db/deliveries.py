"""Attempts at webhooks, claimed like stages: with a lease and a fencing token, by Postgres's own clock.

Nothing here commits. The deliveries themselves are written by `outbox`.
"""

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, selectinload

from db import lines, tallies
from db.errors import DeliveryNotFound
from db.lines import Limits, is_not_leased, is_waiting
from db.models import Delivery, DeliveryAttempt, DisabledReceiver, Job
from db.outbox import GONE
from db.states import DeliveryStatus, Event

logger = logging.getLogger(__name__)

LOST = "the process that ran this attempt was lost: whether the receiver got it isn't known"
RECEIVER_LOCKS, TENANT_LOCKS = 4201, 4202
"""The classes of the advisory locks on them: any numbers that no other lock has."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The right to one attempt, and what it is about. `attempt` counts from 1."""

    delivery_id: UUID
    token: int
    attempt: int
    tenant: str
    event: Event
    url: str
    receiver: str
    job_id: UUID | None
    batch_id: UUID | None
    happened_at: datetime
    traceparent: str | None
    """The job's."""

    @property
    def log_fields(self) -> dict[str, str | int]:
        """What lines of the log about it say besides, as `extra` or bound."""
        job = {} if self.job_id is None else {"job_id": str(self.job_id)}
        return {"delivery_id": str(self.delivery_id), "attempt": self.attempt, **job}


@dataclass(frozen=True)
class Answered:
    """How an attempt went: what the receiver said, or why it said nothing."""

    duration_ms: int
    status_code: int | None = None
    answer: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class Step:
    """What follows from an attempt: an end, or (`pending`) another one after the delay."""

    status: DeliveryStatus
    delay_seconds: float = 0
    reason: str | None = None


def take(session: Session, delivery_id: UUID, lease: timedelta, limits: Limits) -> Claim | None:
    """Take a delivery that is due, count the attempt and note its beginning.

    One receiver, and one tenant, has no more attempts running than the limits say. A delivery that comes while they do
    stays in its line: whoever ends an attempt calls the next (`lines.call_next`). Returns None when nothing was taken.
    """
    of = session.execute(select(Delivery.receiver, Delivery.tenant).where(Delivery.id == delivery_id)).one_or_none()
    if of is None:
        return None
    # One claim at a time counts and takes; the locks, always in this order, are let go by the commit, long before the
    # request.
    _lock(session, RECEIVER_LOCKS, of.receiver)
    _lock(session, TENANT_LOCKS, of.tenant)
    if not lines.has_room(session, of.receiver, of.tenant, limits):
        session.execute(_update().where(Delivery.id == delivery_id, *is_waiting()).values(sent_at=None))
        return None
    row = session.execute(
        _update()
        .where(Delivery.id == delivery_id, *is_waiting())
        .values(
            attempts=Delivery.attempts + 1,
            token=Delivery.token + 1,
            lease_expires_at=func.clock_timestamp() + lease,
            sent_at=None,
        )
        .returning(
            Delivery.token,
            Delivery.attempts.label("attempt"),
            Delivery.tenant,
            Delivery.event,
            Delivery.url,
            Delivery.receiver,
            Delivery.job_id,
            Delivery.batch_id,
            Delivery.created_at.label("happened_at"),
            select(Job.traceparent).where(Job.id == Delivery.job_id).scalar_subquery().label("traceparent"),
        )
    ).one_or_none()
    if row is None:
        return None
    claim = Claim(delivery_id=delivery_id, **row._mapping)
    _begin_attempt(session, claim)
    return claim


def _lock(session: Session, kind: int, name: str) -> None:
    session.execute(select(func.pg_advisory_xact_lock(kind, func.hashtext(name))))


def _begin_attempt(session: Session, claim: Claim) -> None:
    session.execute(
        update(DeliveryAttempt)
        .where(
            DeliveryAttempt.delivery_id == claim.delivery_id,
            DeliveryAttempt.duration_ms.is_(None),
            DeliveryAttempt.error.is_(None),
        )
        .values(error=LOST)
        .execution_options(synchronize_session=False)
    )
    session.execute(
        insert(DeliveryAttempt).values(
            delivery_id=claim.delivery_id, number=claim.attempt, started_at=func.clock_timestamp()
        )
    )


def hand_back(session: Session, claim: Claim, delay_seconds: float) -> None:
    """Give up an attempt that sent nothing: it doesn't count, and another one is due after the delay."""
    due_at = func.clock_timestamp() + timedelta(seconds=delay_seconds)
    if _move(session, claim, attempts=Delivery.attempts - 1, due_at=due_at) or _let_go(
        session, claim, attempts=Delivery.attempts - 1
    ):
        session.execute(delete(DeliveryAttempt).where(*_is_attempt(claim)))


def record(session: Session, claim: Claim, answered: Answered, step: Step) -> bool:
    """Note how the attempt went, and take the step; False when the claim was lost to another attempt.

    A success enables a URL that was gone; 410 (a step to `disabled`) ends all that waits for that URL.
    """
    session.execute(
        update(DeliveryAttempt)
        .where(*_is_attempt(claim))
        .values(
            duration_ms=answered.duration_ms,
            status_code=answered.status_code,
            answer=answered.answer,
            error=answered.error,
        )
        .execution_options(synchronize_session=False)
    )
    is_over = step.status is not DeliveryStatus.PENDING
    moved = _move(
        session,
        claim,
        status=step.status,
        reason=step.reason,
        due_at=func.clock_timestamp() + timedelta(seconds=step.delay_seconds),
        finished_at=func.clock_timestamp() if is_over else None,
    )
    if not moved and not _let_go(session, claim):
        return False
    tallies.webhook_attempted(session, step.status)
    if step.status is DeliveryStatus.SUCCEEDED:
        session.execute(delete(DisabledReceiver).where(*_is_url(DisabledReceiver, claim)))
    elif step.status is DeliveryStatus.DISABLED:
        _disable(session, claim)
    return True


def _move(session: Session, claim: Claim, **values: Any) -> bool:
    """End the claim, with these values; False when it is no longer the delivery's last word."""
    return _end(session, claim, Delivery.token == claim.token, **values)


def _let_go(session: Session, claim: Claim, **values: Any) -> bool:
    """End the claim's lease alone when it was to be sent again while it ran; False when another attempt has begun."""
    return _end(session, claim, Delivery.token != claim.token, Delivery.attempts == claim.attempt, **values)


def _end(session: Session, claim: Claim, *conditions: ColumnElement[bool], **values: Any) -> bool:
    ended = session.execute(
        _update()
        .where(Delivery.id == claim.delivery_id, Delivery.status == DeliveryStatus.PENDING, *conditions)
        .values(lease_expires_at=None, sent_at=None, **values)
        .returning(Delivery.id)
    )
    return ended.first() is not None


def _disable(session: Session, claim: Claim) -> None:
    gone = insert(DisabledReceiver).values(tenant=claim.tenant, url=claim.url)
    session.execute(gone.on_conflict_do_nothing())
    # Locked ones are another attempt's, which will hear the same; waiting for them could go in a circle.
    waiting = (
        select(Delivery.id)
        .where(
            Delivery.receiver == claim.receiver,
            *_is_url(Delivery, claim),
            Delivery.id != claim.delivery_id,
            Delivery.status == DeliveryStatus.PENDING,
            is_not_leased(),
        )
        .with_for_update(skip_locked=True)
    )
    session.execute(
        _update()
        .where(Delivery.id.in_(waiting))
        .values(
            status=DeliveryStatus.DISABLED,
            reason=GONE,
            lease_expires_at=None,
            sent_at=None,
            finished_at=func.clock_timestamp(),
        )
    )


def redeliver(session: Session, tenant: str, delivery_id: UUID) -> Delivery:
    """Have a delivery sent again now, whatever became of it; its attempts go on counting.

    An attempt that runs is let run to its end, but doesn't decide: the new token takes its word from it. The message
    is to be sent after the commit. Raises `DeliveryNotFound`, for another tenant's too.
    """
    session.execute(
        _update()
        .where(Delivery.id == delivery_id, Delivery.tenant == tenant)
        .values(
            status=DeliveryStatus.PENDING,
            reason=None,
            token=Delivery.token + 1,
            due_at=func.clock_timestamp(),
            sent_at=func.clock_timestamp(),
            finished_at=None,
        )
    )
    return find(session, tenant, delivery_id)


def find(session: Session, tenant: str, delivery_id: UUID) -> Delivery:
    """The tenant's own delivery with its attempts; raises `DeliveryNotFound`, for another's too."""
    found = _load(session, Delivery.tenant == tenant, Delivery.id == delivery_id)
    if not found:
        raise DeliveryNotFound(delivery_id)
    return found[0]


def of_job(session: Session, job_id: UUID) -> list[Delivery]:
    """All of one job with their attempts, the newest first."""
    return _load(session, Delivery.job_id == job_id)


def of_batch(session: Session, batch_id: UUID) -> list[Delivery]:
    """All of one batch with their attempts, the newest first; those of its jobs are the jobs' own."""
    return _load(session, Delivery.batch_id == batch_id)


def _load(session: Session, *conditions: ColumnElement[bool]) -> list[Delivery]:
    query = select(Delivery).where(*conditions).options(selectinload(Delivery.tries)).order_by(Delivery.id.desc())
    return list(session.scalars(query))


def _update() -> Any:
    return update(Delivery).execution_options(synchronize_session=False)


def _is_attempt(claim: Claim) -> Collection[ColumnElement[bool]]:
    return DeliveryAttempt.delivery_id == claim.delivery_id, DeliveryAttempt.number == claim.attempt


def _is_url(table: type[Delivery | DisabledReceiver], claim: Claim) -> Collection[ColumnElement[bool]]:
    return table.tenant == claim.tenant, table.url == claim.url
