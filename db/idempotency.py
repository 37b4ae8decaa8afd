"""First answers to requests with an `Idempotency-Key`, to be given again."""

from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from db.models import IdempotentAnswer


def find(session: Session, tenant: str, key: str) -> IdempotentAnswer | None:
    """The answer that the tenant was given under this key, unless it has expired."""
    return session.scalar(
        select(IdempotentAnswer).where(
            IdempotentAnswer.tenant == tenant,
            IdempotentAnswer.key == key,
            IdempotentAnswer.expires_at > func.clock_timestamp(),
        )
    )


def keep(session: Session, tenant: str, key: str, lifetime: timedelta, **answer: Any) -> bool:
    """Keep the first answer in the transaction that does what it says; False: another request was first.

    Should that other one be in flight, this waits for its end: of two at once, one does it.
    """
    session.execute(
        delete(IdempotentAnswer)
        .where(
            IdempotentAnswer.tenant == tenant,
            IdempotentAnswer.key == key,
            IdempotentAnswer.expires_at <= func.clock_timestamp(),
        )
        .execution_options(synchronize_session=False)
    )
    kept = session.execute(
        insert(IdempotentAnswer)
        .values(tenant=tenant, key=key, expires_at=func.clock_timestamp() + lifetime, **answer)
        .on_conflict_do_nothing()
        .returning(IdempotentAnswer.key)
    ).first()
    return kept is not None


def forget_expired(session: Session, limit: int) -> int:
    """Remove answers that nobody will be given again; returns how many."""
    old = (
        select(IdempotentAnswer.tenant, IdempotentAnswer.key)
        .where(IdempotentAnswer.expires_at < func.clock_timestamp())
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("old")
    )
    gone = session.execute(
        delete(IdempotentAnswer)
        .where(IdempotentAnswer.tenant == old.c.tenant, IdempotentAnswer.key == old.c.key)
        .returning(IdempotentAnswer.key)
        .execution_options(synchronize_session=False)
    )
    return len(gone.all())
