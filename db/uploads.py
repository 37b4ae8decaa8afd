"""Uploads: places in the object storage that callers fill themselves."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from db.errors import UploadNotFound
from db.models import Upload


def create(session: Session, tenant: str, lifetime: timedelta) -> Upload:
    """A place for one picture of the tenant's."""
    upload = Upload(id=uuid7(), tenant=tenant, expires_at=func.clock_timestamp() + lifetime)
    session.add(upload)
    session.flush()
    session.refresh(upload)
    return upload


def wait_for_room_seconds(session: Session, tenant: str, maximum: int) -> float:
    """How long until the tenant has fewer than `maximum` uploads that haven't expired; 0: it has."""
    now = func.clock_timestamp()
    # As many as may be, the youngest first: the last of them is the next whose end makes room.
    last = (
        select(Upload.expires_at)
        .where(Upload.tenant == tenant, Upload.expires_at > now)
        .order_by(Upload.expires_at.desc())
        .offset(maximum - 1)
        .limit(1)
        .scalar_subquery()
    )
    return float(session.scalar(select(func.coalesce(func.extract("epoch", last - now), 0))) or 0)


def find(session: Session, tenant: str, upload_id: UUID) -> Upload:
    """The tenant's own upload; raises `UploadNotFound` for another's, and for one that has expired."""
    upload = session.scalar(
        select(Upload).where(
            Upload.id == upload_id, Upload.tenant == tenant, Upload.expires_at > func.clock_timestamp()
        )
    )
    if upload is None:
        raise UploadNotFound(upload_id)
    return upload


def expired(session: Session, limit: int) -> list[UUID]:
    """Uploads that nobody can use any more, locked until the transaction ends."""
    query = (
        select(Upload.id)
        .where(Upload.expires_at < func.clock_timestamp())
        .order_by(Upload.expires_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return list(session.scalars(query))


def forget(session: Session, upload_ids: list[UUID]) -> None:
    """Remove the rows; their objects must be gone before."""
    session.execute(delete(Upload).where(Upload.id.in_(upload_ids)).execution_options(synchronize_session=False))
