"""Keys in Postgres: who may call, what for, and how much. Nothing here commits."""

from enum import StrEnum
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from db.errors import KeyNotFound, TenantTaken
from db.models import ApiKey

LOCAL_TENANT = "local"
"""All callers of a service that asks for no keys."""
ADMIN_TENANT = "admin"
"""Whoever holds the key of the settings."""


class Scope(StrEnum):
    """What a key is for."""

    JOBS_READ = "jobs:read"
    JOBS_WRITE = "jobs:write"
    ADMIN = "admin"
    """Managing keys; it shows nobody's jobs."""


def add(session: Session, key: ApiKey, *, new_tenant: bool) -> None:
    """Store the key. Raises `TenantTaken` when its tenant should be new and isn't."""
    if new_tenant:
        # Two of the same tenant at once: the second one waits here, and then finds the first one's row.
        session.execute(text("LOCK TABLE api_keys IN SHARE ROW EXCLUSIVE MODE"))
        if key.tenant in {LOCAL_TENANT, ADMIN_TENANT} or _is_known(session, key.tenant):
            raise TenantTaken(key.tenant)
    session.add(key)
    session.flush()


def _is_known(session: Session, tenant: str) -> bool:
    """Revoked keys count: their jobs are still there."""
    return session.scalar(select(ApiKey.id).where(ApiKey.tenant == tenant).limit(1)) is not None


def get(session: Session, key_id: UUID) -> ApiKey | None:
    """The key, also a revoked one."""
    return session.get(ApiKey, key_id)


def page(session: Session, *, before: UUID | None, limit: int) -> list[ApiKey]:
    """All tenants' keys, the revoked ones too, the newest first, older than `before`."""
    query = select(ApiKey)
    if before is not None:
        query = query.where(ApiKey.id < before)
    return list(session.scalars(query.order_by(ApiKey.id.desc()).limit(limit)))


def revoke(session: Session, key_id: UUID) -> None:
    """End the key; its row stays. One that was revoked before keeps that time. Raises `KeyNotFound`."""
    revoked = session.execute(
        update(ApiKey)
        .where(ApiKey.id == key_id)
        .values(revoked_at=func.coalesce(ApiKey.revoked_at, func.clock_timestamp()))
        .returning(ApiKey.id)
        .execution_options(synchronize_session=False)
    ).first()
    if revoked is None:
        raise KeyNotFound(key_id)
