"""Claims on stages: taken with a lease and a fencing token, and only the token's holder may write.

Nothing here commits. Each change is one guarded UPDATE, by Postgres's own clock.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Executable, Select, literal, select, tuple_, update
from sqlalchemy.orm import Session

from db import claim_statements, tallies
from db.claim_statements import from_now, is_suspect_stage
from db.models import JSON, Stage
from db.states import StageName, StageStatus, check_stage


@dataclass(frozen=True)
class Holder:
    """Who takes claims: a name for people, and how long it may be silent."""

    worker: str
    lease_seconds: float


@dataclass(frozen=True)
class Claim:
    """The right to run a stage, until it is lost to a takeover. `attempt` counts from 1."""

    job_id: UUID
    name: StageName
    token: int
    attempt: int

    @property
    def log_fields(self) -> dict[str, str | int]:
        """What lines of the log about it say besides, as `extra` or bound."""
        return {"job_id": str(self.job_id), "stage": str(self.name), "attempt": self.attempt}


def take(session: Session, job_id: UUID, name: StageName, holder: Holder, *, suspect: bool) -> Claim | None:
    """Take a queued stage that is due, and count the attempt.

    `suspect` stages, those whose last attempt may have killed its worker or filled the device, are taken apart, to be
    run alone. Returns None when there is nothing to take: the message came twice or early, or the job has ended.
    """
    of = {"of_job": job_id, "of_stage": name, "as_suspect": suspect}
    row = session.execute(claim_statements.TAKE, {**of, **_held_by(holder)}).one_or_none()
    if row is None:
        return None
    tallies.stage_begun(session, name)
    return Claim(job_id, name, row.token, row.attempts)


def is_suspect(session: Session, job_id: UUID, name: StageName) -> bool:
    """True when the stage waits for a claim as a suspect."""
    query: Select[Any] = select(literal(1)).where(
        Stage.job_id == job_id,
        Stage.name == name,
        Stage.status == StageStatus.QUEUED,
        is_suspect_stage(),
    )
    return session.scalar(query) is not None


def renew(session: Session, claims: Collection[Claim], lease_seconds: float) -> set[Claim]:
    """Prolong the leases of all these claims at once; returns those that are still held."""
    if not claims:
        return set()
    held = session.execute(
        update(Stage)
        .where(_is_any_of(claims))
        .values(lease_expires_at=from_now(lease_seconds))
        .returning(Stage.job_id, Stage.name, Stage.token)
        .execution_options(synchronize_session=False)
    ).all()
    keys = {(row.job_id, row.name, row.token) for row in held}
    return {claim for claim in claims if (claim.job_id, claim.name, claim.token) in keys}


def complete(session: Session, held: Claim, result: JSON, model: JSON, *, hand_on_to: StageName | None = None) -> bool:
    """Store the result, and queue the next stage, whose message is sent after the commit.

    False when the claim was lost: somebody else runs the stage, or its job was canceled.
    """
    values: dict[str, Any] = {"stage_result": result, "stage_model": model}
    if hand_on_to is None:
        return _leave(session, held, StageStatus.SUCCEEDED, claim_statements.COMPLETE, values)
    check_stage(StageStatus.PENDING, StageStatus.QUEUED)
    values["next_stage"] = hand_on_to
    return _leave(session, held, StageStatus.SUCCEEDED, claim_statements.HAND_ON, values)


def keep(session: Session, held: Claim, result: JSON, model: JSON, holder: Holder) -> Claim | None:
    """Store the result, and take the next stage before anyone else can; None when the claim was lost.

    Raises ValueError after the last stage.
    """
    following = held.name.next
    if following is None:
        raise ValueError(f"Nothing follows {held.name}.")
    check_stage(StageStatus.RUNNING, StageStatus.SUCCEEDED)
    check_stage(StageStatus.PENDING, StageStatus.QUEUED)
    check_stage(StageStatus.QUEUED, StageStatus.RUNNING)
    values = {"stage_result": result, "stage_model": model, "next_stage": following}
    row = session.execute(claim_statements.KEEP, {**_fence(held), **values, **_held_by(holder)}).one_or_none()
    if row is None:
        return None
    tallies.stage_left(session, held.name, StageStatus.SUCCEEDED, None, row.ran)
    tallies.stage_begun(session, following)
    return Claim(held.job_id, following, row.token, row.attempts)


def retry(session: Session, held: Claim, error: JSON, delay_seconds: float) -> bool:
    """Give the stage back for another attempt after the delay, with the error that ended this one."""
    values = {"stage_error": error, "delay_seconds": delay_seconds}
    return _leave(session, held, StageStatus.QUEUED, claim_statements.RETRY, values)


def fail(session: Session, held: Claim, error: JSON) -> bool:
    """End the stage without a result; False when the claim was lost."""
    return _leave(session, held, StageStatus.FAILED, claim_statements.FAIL, {"stage_error": error})


def hand_back(session: Session, claims: Collection[Claim], delay_seconds: float = 0) -> list[Claim]:
    """Give stages back that were not at fault, claimable after the delay; their attempts don't count.

    Returns those that were still held: their messages are to be sent again.
    """
    if not claims:
        return []
    check_stage(StageStatus.RUNNING, StageStatus.QUEUED)
    given = session.execute(
        update(Stage)
        .where(_is_any_of(claims))
        .values(
            status=StageStatus.QUEUED,
            attempts=Stage.attempts - 1,
            due_at=from_now(delay_seconds),
            sent_at=from_now(delay_seconds),
            lease_expires_at=None,
            worker=None,
        )
        .returning(Stage.job_id, Stage.name)
        .execution_options(synchronize_session=False)
    ).all()
    keys = {(row.job_id, row.name) for row in given}
    return [claim for claim in claims if (claim.job_id, claim.name) in keys]


def _leave(
    session: Session, held: Claim, target: StageStatus, statement: Executable, values: Mapping[str, Any]
) -> bool:
    check_stage(StageStatus.RUNNING, target)
    left = session.execute(statement, {**_fence(held), **values}).first()
    if left is None:
        return False
    tallies.stage_left(session, held.name, target, values.get("stage_error"), left.ran)
    return True


def _held_by(holder: Holder) -> dict[str, Any]:
    return {"holder": holder.worker, "lease_seconds": holder.lease_seconds}


def _fence(held: Claim) -> dict[str, Any]:
    """The stage, if it still runs under the very token."""
    return {"of_job": held.job_id, "of_stage": held.name, "of_token": held.token}


def _is_any_of(claims: Collection[Claim]) -> ColumnElement[bool]:
    """The same of many."""
    keys = [(claim.job_id, claim.name, claim.token) for claim in claims]
    return (Stage.status == StageStatus.RUNNING) & tuple_(Stage.job_id, Stage.name, Stage.token).in_(keys)
