"""The lines that deliveries wait in: one for each receiver, and of each tenant's receivers the one with room is next.

Nothing here commits.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from db.models import Delivery
from db.states import DeliveryStatus


@dataclass(frozen=True)
class Limits:
    """How many attempts may run at once."""

    per_receiver: int
    """Against one host and port."""
    per_tenant: int
    """For one tenant, whatever its receivers."""


def has_room(session: Session, receiver: str, tenant: str, limits: Limits) -> bool:
    """Whether one more attempt of this tenant's may run against this receiver."""
    return (
        _in_flight(session, Delivery.receiver == receiver) < limits.per_receiver
        and _in_flight(session, Delivery.tenant == tenant) < limits.per_tenant
    )


def _in_flight(session: Session, whose: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count()).where(whose, *_is_running())) or 0


def call_next(session: Session, receiver: str, tenant: str, limits: Limits) -> list[tuple[UUID, int]]:
    """Who may go when an attempt has ended, with their attempts so far: the tenant's next at another receiver that has
    room, and the receiver's own next.

    They are marked as sent: the messages are to be sent after the commit, in this order, or a tenant's dead receiver
    would keep its others out. First attempts come before repeated ones.
    """
    full = select(Delivery.receiver).where(*_is_running()).group_by(Delivery.receiver)
    full = full.having(func.count() >= limits.per_receiver)
    elsewhere = _first(Delivery.tenant == tenant, Delivery.receiver != receiver, Delivery.receiver.not_in(full))
    return _mark_sent(session, elsewhere) + _mark_sent(session, _first(Delivery.receiver == receiver))


def _first(*conditions: ColumnElement[bool]) -> Select[UUID]:
    """The first in line that is due and has no message on its way."""
    return (
        select(Delivery.id)
        .where(*conditions, *is_waiting(), Delivery.sent_at.is_(None))
        .order_by(Delivery.attempts, Delivery.due_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )


def mark_due(session: Session, silence: timedelta, limits: Limits, limit: int) -> list[tuple[UUID, int]]:
    """Deliveries that are due, now marked as sent, with their attempts so far.

    Of each receiver and each tenant no more than it may have in flight, less those that are, or whose messages are on
    their way (sent within `silence`): a dead receiver's thousands stay where they are. Tenants take turns, so do the
    receivers of each, and first attempts come before repeated ones.
    """
    stale = or_(Delivery.sent_at.is_(None), Delivery.sent_at < func.clock_timestamp() - silence)
    is_busy = (
        Delivery.status == DeliveryStatus.PENDING,
        or_(Delivery.lease_expires_at > func.clock_timestamp(), ~stale),
    )
    receivers, tenants = _count_by(Delivery.receiver, is_busy), _count_by(Delivery.tenant, is_busy)
    age = (Delivery.attempts, Delivery.due_at)
    place = func.row_number().over(partition_by=Delivery.receiver, order_by=age)
    line = select(Delivery.id, Delivery.receiver, place.label("place")).where(*is_waiting(), stale).subquery()
    turn = func.row_number().over(partition_by=Delivery.tenant, order_by=(line.c.place, *age))
    admitted = (
        select(Delivery.id, Delivery.tenant, turn.label("turn"))
        .join(line, line.c.id == Delivery.id)
        .outerjoin(receivers, receivers.c.name == line.c.receiver)
        .where(line.c.place <= limits.per_receiver - func.coalesce(receivers.c.count, 0))
        .subquery()
    )
    found = (
        select(Delivery.id)
        .join(admitted, admitted.c.id == Delivery.id)
        .outerjoin(tenants, tenants.c.name == admitted.c.tenant)
        .where(admitted.c.turn <= limits.per_tenant - func.coalesce(tenants.c.count, 0))
        .order_by(admitted.c.turn, *age)
        .limit(limit)
        .with_for_update(of=Delivery, skip_locked=True)
    )
    return _mark_sent(session, found)


def _count_by(column: InstrumentedAttribute[str], conditions: Collection[ColumnElement[bool]]) -> Any:
    return select(column.label("name"), func.count().label("count")).where(*conditions).group_by(column).subquery()


def _mark_sent(session: Session, found: Select[UUID]) -> list[tuple[UUID, int]]:
    cte = found.cte("found")
    marked = session.execute(
        update(Delivery)
        .where(Delivery.id == cte.c.id)
        .values(sent_at=func.clock_timestamp())
        .returning(Delivery.id, Delivery.attempts)
        .execution_options(synchronize_session=False)
    )
    return [(row.id, row.attempts) for row in marked]


def is_waiting() -> Collection[ColumnElement[bool]]:
    """Whether a delivery is due and nobody's."""
    return Delivery.status == DeliveryStatus.PENDING, Delivery.due_at <= func.clock_timestamp(), is_not_leased()


def is_not_leased() -> ColumnElement[bool]:
    """Whether no attempt at it runs."""
    return or_(Delivery.lease_expires_at.is_(None), Delivery.lease_expires_at < func.clock_timestamp())


def _is_running() -> Collection[ColumnElement[bool]]:
    # The first as the index has it: what waits may be thousands, and each claim counts.
    return Delivery.lease_expires_at.is_not(None), Delivery.lease_expires_at > func.clock_timestamp()
