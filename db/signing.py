"""The secrets that a tenant's webhooks are signed with. Nothing here commits."""

import base64
import secrets
from datetime import timedelta

from sqlalchemy import Select, delete, func, or_, select, update
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from db.models import SigningSecret

PREFIX = "whsec_"
SECRET_BYTES = 32
LOCK_CLASS = 4202
"""Of the advisory locks on tenants: any number that no other lock has."""


def valid(session: Session, tenant: str) -> list[SigningSecret]:
    """All that sign now, the newest first; the tenant's first one is made here, when it is first needed."""
    found = list(session.scalars(_valid(tenant)))
    if found:
        return found
    _lock(session, tenant)
    found = list(session.scalars(_valid(tenant)))
    return found or [_create(session, tenant)]


def rotate(session: Session, tenant: str, overlap: timedelta) -> list[SigningSecret]:
    """Make a new secret; the one before it signs, too, until the overlap is over. Returns both, the newest first.

    No more than two sign at once: one that was to end already, because it was rotated before, ends now.
    """
    valid(session, tenant)
    _lock(session, tenant)
    is_ending = SigningSecret.expires_at.is_not(None)
    session.execute(delete(SigningSecret).where(SigningSecret.tenant == tenant, is_ending))
    session.execute(
        update(SigningSecret)
        .where(SigningSecret.tenant == tenant)
        .values(expires_at=func.clock_timestamp() + overlap)
        .execution_options(synchronize_session=False)
    )
    _create(session, tenant)
    return list(session.scalars(_valid(tenant).execution_options(populate_existing=True)))


def forget_expired(session: Session) -> None:
    """Remove those that sign no more."""
    session.execute(delete(SigningSecret).where(SigningSecret.expires_at < func.clock_timestamp()))


def _valid(tenant: str) -> Select[SigningSecret]:
    return (
        select(SigningSecret)
        .where(
            SigningSecret.tenant == tenant,
            or_(SigningSecret.expires_at.is_(None), SigningSecret.expires_at > func.clock_timestamp()),
        )
        .order_by(SigningSecret.id.desc())
    )


def _create(session: Session, tenant: str) -> SigningSecret:
    secret = PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
    made = SigningSecret(id=uuid7(), tenant=tenant, secret=secret)
    session.add(made)
    session.flush()
    session.refresh(made)
    return made


def _lock(session: Session, tenant: str) -> None:
    """Two that need the first secret, or rotate, at once: one after the other."""
    session.execute(select(func.pg_advisory_xact_lock(LOCK_CLASS, func.hashtext(tenant))))
