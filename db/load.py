"""How much there is to do, for those who decide whether to take more."""

from sqlalchemy import Select, func, literal, select
from sqlalchemy.orm import Session

from db.models import Job, Stage
from db.states import IN_FLIGHT, StageStatus


def count_waiting(session: Session, *, at_most: int) -> int:
    """How many stages wait for a worker, whosever they are; it counts no further than `at_most`."""
    return _count(session, select(literal(1)).where(Stage.status == StageStatus.QUEUED), at_most)


def count_in_flight(session: Session, tenant: str, *, at_most: int) -> int:
    """How many of the tenant's jobs haven't ended; it counts no further than `at_most`."""
    return _count(session, select(literal(1)).where(Job.tenant == tenant, Job.status.in_(IN_FLIGHT)), at_most)


def _count(session: Session, rows: Select[int], at_most: int) -> int:
    return session.scalar(select(func.count()).select_from(rows.limit(at_most).subquery())) or 0


def take_turns(session: Session, tenant: str) -> None:
    """Wait for whoever took this turn of the tenant's before; it ends with the transaction.

    Raises SQLAlchemy's `OperationalError` after two seconds: turns are short, so that one's holder is frozen.
    """
    session.execute(
        select(
            func.set_config("lock_timeout", "2s", True),
            func.pg_advisory_xact_lock(func.hashtextextended(f"tenant {tenant}", 0)),
        )
    )
