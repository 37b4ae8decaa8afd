"""Jobs in Postgres: each state change is one guarded UPDATE. Nothing here commits."""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select, update
from sqlalchemy import delete as sql_delete
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from db import batches, job_statements, outbox, tallies
from db.errors import JobNotFound
from db.keys import submitted_at
from db.models import JSON, Job, Stage
from db.new_jobs import NewJob
from db.states import (
    JOB_TRANSITIONS,
    JobStatus,
    Outcome,
    StageName,
    StageStatus,
    check_job,
    check_stage,
)


def create(session: Session, new: NewJob, *, message_priority: int = 0) -> Job:
    """Insert the job and its stages, the first of them queued with this priority of its messages."""
    job = Job(**asdict(new), created_at=submitted_at(new.id))
    job.stages = [Stage(name=name, position=position) for position, name in enumerate(StageName)]
    for stage in job.stages:
        stage.status = StageStatus.PENDING
    first = job.stages[0]
    first.status = StageStatus.QUEUED
    first.priority = message_priority
    first.due_at = first.sent_at = func.clock_timestamp()
    job.instances = []
    session.add(job)
    session.flush()
    tallies.job_accepted(session, job)
    return job


def get(session: Session, job_id: UUID) -> Job:
    """The job with its stages and instances, whosever it is; raises `JobNotFound`."""
    return _with_instances(session, _with_stages(session, job_id))


def find(session: Session, tenant: str, job_id: UUID) -> Job:
    """The tenant's own job with its stages and instances; `JobNotFound` for another's, too."""
    return _with_instances(session, _with_stages(session, job_id, tenant))


def _with_stages(session: Session, job_id: UUID, tenant: str | None = None) -> Job:
    """In one round trip, as often as callers ask; of this tenant's, or of anyone's."""
    if tenant is None:
        found = session.scalars(job_statements.WITH_STAGES, {"of_job": job_id})
    else:
        found = session.scalars(job_statements.OF_TENANT_WITH_STAGES, {"of_job": job_id, "of_tenant": tenant})
    job = found.unique().one_or_none()
    if job is None:
        raise JobNotFound(job_id)
    return job


def _with_instances(session: Session, job: Job) -> Job:
    """Only a job that succeeded has any: of others, which are asked for the most often, there is nothing to load."""
    has_any = job.status is JobStatus.SUCCEEDED
    found = session.scalars(job_statements.INSTANCES, {"of_job": job.id}).all() if has_any else ()
    set_committed_value(job, "instances", list(found))
    return job


def versions(session: Session, job_ids: Collection[UUID]) -> dict[UUID, str]:
    """A text for each of the jobs that is another one after each change of its state or its stages'."""
    rows = session.execute(
        select(Job.id, Job.status, Stage.status, Stage.attempts, Stage.token)
        .join(Stage)
        .where(Job.id.in_(job_ids))
        .order_by(Job.id, Stage.position)
    )
    found: dict[UUID, str] = {}
    for job_id, *state in rows:
        found[job_id] = found.get(job_id, "") + repr(state)
    return found


def start(session: Session, job_id: UUID) -> Job:
    """The job of a stage that was just claimed, now running, with its stages; instances it has none yet."""
    job = _with_stages(session, job_id)
    if job.status is JobStatus.QUEUED:
        _move(session, job_id, JobStatus.QUEUED, JobStatus.RUNNING)
    return job


@dataclass(frozen=True)
class ImageFacts:
    """What is known of an image once its bytes are there: size in pixels when upright."""

    sha256: str
    width: int
    height: int
    size_bytes: int


def describe_image(session: Session, job_id: UUID, image: ImageFacts, reuse_key: str) -> None:
    """Say what the image turned out to be that the submission only pointed to, and which question that makes it."""
    session.execute(
        update(Job)
        .where(Job.id == job_id)
        .values(
            image_sha256=image.sha256,
            image_width=image.width,
            image_height=image.height,
            image_bytes=image.size_bytes,
            reuse_key=reuse_key,
        )
        .execution_options(synchronize_session=False)
    )


def succeed(session: Session, job_id: UUID, last: StageName, outcome: Outcome, label: str) -> None:
    """End the job well after the stage `last`, with its main object's label; the stages after it are skipped."""
    if last.next:
        _skip(session, job_id, {StageStatus.PENDING})
    _end(session, job_id, JobStatus.RUNNING, JobStatus.SUCCEEDED, outcome=outcome, label=label)


def fail(session: Session, job_id: UUID, name: StageName, error: JSON) -> None:
    """End the job at the stage that failed."""
    _skip(session, job_id, {StageStatus.PENDING})
    _end(session, job_id, JobStatus.RUNNING, JobStatus.FAILED, error={"stage": name, **error})


def cancel(session: Session, job_id: UUID) -> bool:
    """End the job now; False when it had ended already.

    A stage that runs goes on to its end in its worker, and its result is refused.
    """
    _lock_stages(session, job_id)
    canceled = any(
        _end(session, job_id, source, JobStatus.CANCELED)
        for source, targets in JOB_TRANSITIONS.items()
        if JobStatus.CANCELED in targets
    )
    if canceled:
        _skip(session, job_id, {StageStatus.PENDING, StageStatus.QUEUED, StageStatus.RUNNING})
    return canceled


def requeue(session: Session, job_id: UUID, *, message_priority: int = 0) -> StageName | None:
    """Start a failed job again at the stage that failed, with all its attempts; None when it hasn't failed.

    The results of the stages before it stay; the message is sent after the commit, with this priority.
    """
    _lock_stages(session, job_id)
    resumed = _move(session, job_id, JobStatus.FAILED, JobStatus.QUEUED)
    if resumed is None:
        return None
    if resumed.batch_id is not None:
        batches.job_resumed(session, resumed.batch_id)
    check_stage(StageStatus.SKIPPED, StageStatus.PENDING)
    session.execute(
        update(Stage)
        .where(Stage.job_id == job_id, Stage.status == StageStatus.SKIPPED)
        .values(status=StageStatus.PENDING)
        .execution_options(synchronize_session=False)
    )
    check_stage(StageStatus.FAILED, StageStatus.QUEUED)
    return session.scalars(
        update(Stage)
        .where(Stage.job_id == job_id, Stage.status == StageStatus.FAILED)
        .values(
            status=StageStatus.QUEUED,
            priority=message_priority,
            attempts=0,
            error=None,
            due_at=func.clock_timestamp(),
            sent_at=func.clock_timestamp(),
        )
        .returning(Stage.name)
        .execution_options(synchronize_session=False)
    ).one()


def delete(session: Session, job_ids: Collection[UUID]) -> None:
    """Remove the rows; their objects must be gone before, for nothing else remembers them."""
    session.execute(sql_delete(Job).where(Job.id.in_(job_ids)).execution_options(synchronize_session=False))


def _lock_stages(session: Session, job_id: UUID) -> None:
    """Every writer takes the stages in their order, then the job: so none waits for another in a circle."""
    session.execute(select(Stage.position).where(Stage.job_id == job_id).order_by(Stage.position).with_for_update())


def _skip(session: Session, job_id: UUID, statuses: set[StageStatus]) -> None:
    for status in statuses:
        check_stage(status, StageStatus.SKIPPED)
    session.execute(
        update(Stage)
        .where(Stage.job_id == job_id, Stage.status.in_(statuses))
        .values(status=StageStatus.SKIPPED, lease_expires_at=None, worker=None)
        .execution_options(synchronize_session=False)
    )


def _end(session: Session, job_id: UUID, source: JobStatus, target: JobStatus, **values: Any) -> bool:
    """The last step of a job, and what follows from it, in one transaction."""
    ended = _move(session, job_id, source, target, **values)
    if ended is None:
        return False
    if ended.batch_id is not None:
        batches.job_ended(session, ended.batch_id)
    outbox.job_ended(session, ended, target)
    age = ended.finished_at - ended.created_at if ended.reused_from is None else None
    tallies.job_ended(session, job_id, target, ended.outcome, age)
    return True


def _move(
    session: Session, job_id: UUID, source: JobStatus, target: JobStatus, **values: Any
) -> Row[*tuple[Any, ...]] | None:
    """The row, with what matters after a job's end; None where the job isn't `source`."""
    check_job(source, target)
    parameters = {"of_job": job_id, "source": source, "status": target, **values}
    return session.execute(job_statements.move_to(target), parameters).first()
