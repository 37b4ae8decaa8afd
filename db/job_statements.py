"""What is asked of Postgres for every job, each written once, and where it can be on the bare table.

See `claim_statements`.
"""

from typing import cast

from sqlalchemy import Executable, Table, bindparam, func, select, update
from sqlalchemy.orm import joinedload

from db.models import Instance, Job
from db.states import TERMINAL, JobStatus

_JOBS = cast("Table", Job.__table__)
WITH_STAGES = select(Job).where(Job.id == bindparam("of_job")).options(joinedload(Job.stages))
OF_TENANT_WITH_STAGES = WITH_STAGES.where(Job.tenant == bindparam("of_tenant"))
INSTANCES = select(Instance).where(Instance.job_id == bindparam("of_job")).order_by(Instance.position)
_MOVE = (
    update(_JOBS)
    .where(_JOBS.c.id == bindparam("of_job"), _JOBS.c.status == bindparam("source"))
    .returning(
        _JOBS.c.id,
        _JOBS.c.tenant,
        _JOBS.c.batch_id,
        _JOBS.c.outcome,
        _JOBS.c.created_at,
        _JOBS.c.finished_at,
        _JOBS.c.reused_from,
        _JOBS.c.webhook_url,
        _JOBS.c.webhook_events,
    )
)
_END = _MOVE.values(finished_at=func.clock_timestamp())
_RESUME = _MOVE.values(finished_at=None, error=None)


def move_to(target: JobStatus) -> Executable:
    """Change the status of the job `of_job`, if it is `source`; a parameter named like a column is set, too.

    It gives what matters after a job's end.
    """
    if target is JobStatus.RUNNING:
        return _MOVE
    return _END if target in TERMINAL else _RESUME
