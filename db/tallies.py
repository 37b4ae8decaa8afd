"""What becomes of jobs and their stages: counted for the metrics, and the jobs' in the log, once it is committed."""

import logging
from datetime import timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from db import metrics
from db.commits import after_commit
from db.errors import WorkerLost
from db.models import JSON, Job
from db.states import DeliveryStatus, JobStatus, Outcome, StageName, StageStatus

logger = logging.getLogger(__name__)

NONE = "none"
LOST = "lost"
RETRYING = "retrying"
"""What is queued again, as events call it, too."""


def job_accepted(session: Session, job: Job) -> None:
    """One job more."""
    after_commit(session, metrics.JOBS_ACCEPTED.labels(_way(job)).inc)
    _tell(session, job.id, "accepted")


def _way(job: Job) -> str:
    if job.reused_from is not None:
        return "reused"
    if job.image_url is not None:
        return "url"
    return "upload" if job.image_sha256 is None else "request"


def job_ended(
    session: Session, job_id: UUID, status: JobStatus, outcome: Outcome | None, age: timedelta | None
) -> None:
    """`age` is what it took since the job was accepted; None where no stage ran for it."""
    after_commit(session, metrics.JOBS_FINISHED.labels(status, outcome or NONE).inc)
    if age is not None and status is not JobStatus.CANCELED:
        after_commit(session, lambda: metrics.JOB_DURATION.observe(age.total_seconds()))
    _tell(session, job_id, f"{status}, {outcome}" if outcome else str(status))


def _tell(session: Session, job_id: UUID, what: str) -> None:
    after_commit(session, lambda: logger.info("job %s: %s", job_id, what, extra={"job_id": str(job_id)}))


def stage_begun(session: Session, stage: StageName) -> None:
    """One attempt more."""
    after_commit(session, metrics.STAGE_ATTEMPTS.labels(stage).inc)


def stage_left(session: Session, stage: StageName, status: StageStatus, error: JSON | None, ran: timedelta) -> None:
    """A run has ended, in another try (`queued`), or for good. The error is the one that its caller is told."""
    cause = error["type"] if error else NONE
    end = LOST if cause == WorkerLost.code else RETRYING if status is StageStatus.QUEUED else str(status)
    after_commit(session, lambda: metrics.STAGE_DURATION.labels(stage, end).observe(ran.total_seconds()))
    if cause == WorkerLost.code:
        after_commit(session, metrics.LEASE_TAKEOVERS.labels(stage).inc)
    if status is StageStatus.QUEUED:
        after_commit(session, metrics.STAGE_RETRIES.labels(stage, cause).inc)


def webhook_attempted(session: Session, status: DeliveryStatus) -> None:
    """An attempt has ended, in another one (`pending`), or for good."""
    after_commit(session, metrics.WEBHOOK_ATTEMPTS.labels(webhook_result(status)).inc)


def webhook_result(status: DeliveryStatus) -> str:
    """What followed from an attempt, in the words of the metric."""
    return RETRYING if status is DeliveryStatus.PENDING else str(status)
