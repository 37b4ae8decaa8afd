"""What claims ask of Postgres for every stage of every job.

Each is written once, on the bare table: to build a statement anew and take it through the ORM costs more than Postgres
does.
"""

from typing import Any, cast

from sqlalchemy import (
    Column,
    ColumnElement,
    Table,
    bindparam,
    func,
    select,
    true,
    update,
)

from db.errors import OutOfMemory, WorkerLost
from db.models import Stage
from db.states import StageStatus

SUSPECT = (WorkerLost.code, OutOfMemory.code)
"""Errors after which a stage is run alone: it may be what killed its worker, or filled the device."""

_STAGES = cast("Table", Stage.__table__)
_OF = {"job_id": "of_job", "name": "of_stage", "token": "of_token"}
"""The parameters that name the stage, and the claim on it; columns' own names are for what is set."""


def is_suspect_stage() -> ColumnElement[bool]:
    """Whether its last attempt ended with one of `SUSPECT`."""
    return func.coalesce(_STAGES.c.error["type"].astext, "").in_(SUSPECT)


def from_now(seconds: Any) -> ColumnElement[Any]:
    """So many seconds, a number or a parameter, after this moment."""
    return func.clock_timestamp() + func.make_interval(0, 0, 0, 0, 0, 0, seconds)


def _is(column: Column[Any]) -> ColumnElement[bool]:
    return column == bindparam(_OF[column.name])


def _leave(target: StageStatus, **values: Any) -> Any:
    """End the run, if the very token still holds it; gives how long it ran."""
    return (
        update(_STAGES)
        .where(
            _is(_STAGES.c.job_id),
            _is(_STAGES.c.name),
            _is(_STAGES.c.token),
            _STAGES.c.status == StageStatus.RUNNING,
        )
        .values(status=target, lease_expires_at=None, worker=None, **values)
        .returning((func.clock_timestamp() - _STAGES.c.started_at).label("ran"), _STAGES.c.job_id)
    )


def _next_stage(target: StageStatus, **values: Any) -> Any:
    """With the end of a run, what becomes of the stage that follows it."""
    return (
        update(_STAGES)
        .where(
            _STAGES.c.job_id == _COMPLETED.c.job_id,
            _STAGES.c.name == bindparam("next_stage"),
            _STAGES.c.status == StageStatus.PENDING,
        )
        .values(status=target, due_at=func.clock_timestamp(), sent_at=func.clock_timestamp(), **values)
    )


_BEGUN: dict[str, Any] = {
    "attempts": _STAGES.c.attempts + 1,
    "token": _STAGES.c.token + 1,
    "worker": bindparam("holder"),
    "lease_expires_at": from_now(bindparam("lease_seconds")),
    "started_at": func.clock_timestamp(),
    "finished_at": None,
}
TAKE = (
    update(_STAGES)
    .where(
        _is(_STAGES.c.job_id),
        _is(_STAGES.c.name),
        _STAGES.c.status == StageStatus.QUEUED,
        _STAGES.c.due_at <= func.clock_timestamp(),
        is_suspect_stage() == bindparam("as_suspect"),
    )
    .values(status=StageStatus.RUNNING, **_BEGUN)
    .returning(_STAGES.c.token, _STAGES.c.attempts)
)
_RESULT: dict[str, Any] = {"result": bindparam("stage_result"), "model": bindparam("stage_model"), "error": None}
COMPLETE = _leave(StageStatus.SUCCEEDED, finished_at=func.clock_timestamp(), **_RESULT)
_COMPLETED = COMPLETE.cte("complete")
HAND_ON = select(_COMPLETED.c.ran).add_cte(_next_stage(StageStatus.QUEUED).cte("handed_on"))
"""End the run and queue the next stage, in one round trip; gives how long it ran."""
_KEPT = _next_stage(StageStatus.RUNNING, **_BEGUN).returning(_STAGES.c.token, _STAGES.c.attempts).cte("kept")
KEEP = select(_COMPLETED.c.ran, _KEPT.c.token, _KEPT.c.attempts).join_from(_COMPLETED, _KEPT, true())
"""End the run and take the next stage, in one round trip; gives how long it ran, and the claim."""
RETRY = _leave(
    StageStatus.QUEUED,
    due_at=from_now(bindparam("delay_seconds")),
    sent_at=from_now(bindparam("delay_seconds")),
    error=bindparam("stage_error"),
)
FAIL = _leave(StageStatus.FAILED, finished_at=func.clock_timestamp(), error=bindparam("stage_error"))
