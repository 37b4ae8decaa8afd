"""Jobs and stages in Postgres: each state change is one guarded UPDATE. Nothing here commits."""

from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, selectinload

from db.errors import JobNotFound
from db.models import JSON, Job, Stage
from db.states import Instances, JobStatus, Outcome, StageName, StageStatus, check_job, check_stage


@dataclass(frozen=True)
class NewJob:
    """What a caller submits; the image lies in the object storage already."""

    id: UUID
    description: str | None
    labels: list[str] | None
    instances_wanted: Instances
    profile: str
    image_sha256: str
    image_width: int
    image_height: int
    image_bytes: int
    caller_metadata: dict[str, Any] = field(default_factory=dict)


def create(session: Session, new: NewJob) -> Job:
    """Insert the job and its stages, the first of them queued."""
    job = Job(**asdict(new))
    job.stages = [
        Stage(name=name, position=position, status=StageStatus.PENDING if position else StageStatus.QUEUED)
        for position, name in enumerate(StageName)
    ]
    job.instances = []
    session.add(job)
    session.flush()
    return job


def get(session: Session, job_id: UUID) -> Job:
    """The job with its stages and instances; raises `JobNotFound`."""
    job = session.scalar(
        select(Job).where(Job.id == job_id).options(selectinload(Job.stages), selectinload(Job.instances))
    )
    if job is None:
        raise JobNotFound(job_id)
    return job


def claim_stage(session: Session, job_id: UUID, name: StageName) -> Job | None:
    """Take a queued stage to run it, and count the attempt.

    Returns the job with its stages, or None when the stage isn't queued: its message came twice, or the job has ended.
    """
    claimed = _move_stage(
        session,
        (job_id, name),
        StageStatus.QUEUED,
        StageStatus.RUNNING,
        attempts=Stage.attempts + 1,
        started_at=func.clock_timestamp(),
        finished_at=None,
        error=None,
    )
    if not claimed:
        return None
    _move_job(session, job_id, JobStatus.QUEUED, JobStatus.RUNNING)
    return get(session, job_id)


def complete_stage(session: Session, job_id: UUID, name: StageName, result: JSON, model: JSON) -> bool:
    """Store the result of the stage that was claimed; False when the claim is no longer ours."""
    return _move_stage(
        session,
        (job_id, name),
        StageStatus.RUNNING,
        StageStatus.SUCCEEDED,
        finished_at=func.clock_timestamp(),
        result=result,
        model=model,
    )


def hand_on(session: Session, job_id: UUID, name: StageName) -> None:
    """Queue the stage that follows; its message is sent after the commit."""
    _move_stage(session, (job_id, name), StageStatus.PENDING, StageStatus.QUEUED)


def requeue_stage(session: Session, job_id: UUID, name: StageName, error: JSON) -> bool:
    """Give a claimed stage back for another attempt; `error` stays with it until it is claimed again."""
    return _move_stage(session, (job_id, name), StageStatus.RUNNING, StageStatus.QUEUED, error=error)


def fail(session: Session, job_id: UUID, name: StageName, error: JSON) -> bool:
    """End the job at this claimed stage; False when the claim is no longer ours."""
    failed = _move_stage(
        session,
        (job_id, name),
        StageStatus.RUNNING,
        StageStatus.FAILED,
        finished_at=func.clock_timestamp(),
        error=error,
    )
    if failed:
        _skip_pending_stages(session, job_id)
        _move_job(
            session,
            job_id,
            JobStatus.RUNNING,
            JobStatus.FAILED,
            finished_at=func.clock_timestamp(),
            error={"stage": name, **error},
        )
    return failed


def succeed(session: Session, job_id: UUID, outcome: Outcome) -> None:
    """End the job well; the stages that were not needed are skipped."""
    _skip_pending_stages(session, job_id)
    _move_job(
        session,
        job_id,
        JobStatus.RUNNING,
        JobStatus.SUCCEEDED,
        finished_at=func.clock_timestamp(),
        outcome=outcome,
    )


def _skip_pending_stages(session: Session, job_id: UUID) -> None:
    check_stage(StageStatus.PENDING, StageStatus.SKIPPED)
    session.execute(
        update(Stage)
        .where(Stage.job_id == job_id, Stage.status == StageStatus.PENDING)
        .values(status=StageStatus.SKIPPED)
    )


def _move_stage(
    session: Session, key: tuple[UUID, StageName], source: StageStatus, target: StageStatus, **values: Any
) -> bool:
    check_stage(source, target)
    moved = session.execute(
        update(Stage)
        .where(Stage.job_id == key[0], Stage.name == key[1], Stage.status == source)
        .values(status=target, **values)
        .returning(Stage.name)
        .execution_options(synchronize_session=False)
    ).first()
    return moved is not None


def _move_job(session: Session, job_id: UUID, source: JobStatus, target: JobStatus, **values: Any) -> bool:
    check_job(source, target)
    moved = session.execute(
        update(Job)
        .where(Job.id == job_id, Job.status == source)
        .values(status=target, **values)
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    ).first()
    return moved is not None
