"""How much there is to do, for those who decide whether to take more."""

from sqlalchemy import Select, func, literal, select, true
from sqlalchemy.orm import Session

from db.messages import PRIORITIES
from db.models import Job, Stage
from db.states import IN_FLIGHT, StageName, StageStatus


def count_waiting(session: Session, *, at_most: int) -> int:
    """How many stages wait for a worker, whosever they are; it counts no further than `at_most`."""
    return _count(session, select(literal(1)).where(Stage.status == StageStatus.QUEUED), at_most)


def depths(session: Session, *, at_most: int) -> dict[StageName, int]:
    """How many stages of each name wait for a worker; it counts no further than `at_most` of one."""
    waiting = select(literal(1)).where(Stage.status == StageStatus.QUEUED)
    return {name: _count(session, waiting.where(Stage.name == name), at_most) for name in StageName}


def longest_wait_seconds(session: Session) -> float:
    """Of the stages that are due, how long the one has waited that was due first; 0 when none is.

    It looks at the head of each line alone, one for each name and priority.
    """
    names = select(func.unnest(func.string_to_array(",".join(StageName), ",")).label("name")).subquery()
    priorities = select(func.generate_series(PRIORITIES[0], PRIORITIES[-1]).label("priority")).subquery()
    head = (
        select(Stage.due_at)
        .where(
            Stage.status == StageStatus.QUEUED,
            Stage.name == names.c.name,
            Stage.priority == priorities.c.priority,
        )
        .order_by(Stage.due_at)
        .limit(1)
        .lateral("head")
    )
    waited = func.extract("epoch", func.clock_timestamp() - func.min(head.c.due_at))
    longest = session.scalar(select(waited).select_from(names.join(priorities, true()).join(head, true())))
    return max(float(longest or 0), 0.0)


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
