"""Which jobs a list shows, and in what order."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session, selectinload

from db.keys import earliest_id
from db.models import Job
from db.states import JobStatus


@dataclass(frozen=True, kw_only=True)
class JobFilter:
    """Which of a tenant's jobs; what is None leaves all."""

    status: JobStatus | None = None
    label: str | None = None
    """The main object's."""
    batch_id: UUID | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    metadata_key: str | None = None
    metadata_value: str | None = None
    """As text, whatever its type; with a key."""

    def conditions(self) -> Iterator[ColumnElement[bool]]:
        """For a WHERE."""
        if self.status is not None:
            yield Job.status == self.status
        if self.label is not None:
            yield Job.label == self.label
        if self.batch_id is not None:
            yield Job.batch_id == self.batch_id
        # Ids are in the order of time, and indexed.
        if self.created_after is not None:
            yield Job.id >= earliest_id(self.created_after)
        if self.created_before is not None:
            yield Job.id < earliest_id(self.created_before)
        if self.metadata_key is not None:
            yield Job.caller_metadata.has_key(self.metadata_key)
            if self.metadata_value is not None:
                yield Job.caller_metadata[self.metadata_key].astext == self.metadata_value


def page(session: Session, tenant: str, wanted: JobFilter, *, before: UUID | None = None, limit: int) -> list[Job]:
    """The tenant's jobs with their stages and instances, the newest first, older than `before`.

    Ids are UUIDv7, ordered by time: a page stays the same however many jobs arrive meanwhile.
    """
    query = (
        select(Job)
        .where(Job.tenant == tenant, *wanted.conditions())
        .options(selectinload(Job.stages), selectinload(Job.instances))
    )
    if before is not None:
        query = query.where(Job.id < before)
    return list(session.scalars(query.order_by(Job.id.desc()).limit(limit)))
