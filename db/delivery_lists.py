"""Which webhook deliveries a list shows, and in what order."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session, selectinload

from db.keys import earliest_id
from db.models import Delivery
from db.states import DeliveryStatus, Event


@dataclass(frozen=True, kw_only=True)
class DeliveryFilter:
    """Which of a tenant's deliveries; what is None leaves all."""

    status: DeliveryStatus | None = None
    event: Event | None = None
    url: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None

    def conditions(self) -> Iterator[ColumnElement[bool]]:
        """For a WHERE."""
        if self.status is not None:
            yield Delivery.status == self.status
        if self.event is not None:
            yield Delivery.event == self.event
        if self.url is not None:
            yield Delivery.url == self.url
        # Ids are in the order of time, and indexed.
        if self.created_after is not None:
            yield Delivery.id >= earliest_id(self.created_after)
        if self.created_before is not None:
            yield Delivery.id < earliest_id(self.created_before)


def page(
    session: Session, tenant: str, wanted: DeliveryFilter, *, before: UUID | None = None, limit: int
) -> list[Delivery]:
    """The tenant's deliveries with their attempts, the newest first, older than `before`: stable as job lists are."""
    query = (
        select(Delivery).where(Delivery.tenant == tenant, *wanted.conditions()).options(selectinload(Delivery.tries))
    )
    if before is not None:
        query = query.where(Delivery.id < before)
    return list(session.scalars(query.order_by(Delivery.id.desc()).limit(limit)))
