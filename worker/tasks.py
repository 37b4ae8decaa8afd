"""The Celery tasks, one a stage: load, call, save, hand on."""

import logging
from dataclasses import asdict
from typing import Any
from uuid import UUID

from celery import Task
from sqlalchemy.exc import OperationalError

from db import jobs, messages
from db.errors import MainmaskError
from db.models import JSON, Job
from db.states import StageName
from worker import stages
from worker.app import app
from worker.retries import retry_delay_seconds
from worker.runtime import runtime

logger = logging.getLogger(__name__)


def _stage_task(name: StageName) -> Any:
    """Register the task of one stage. A database that is away for a moment is waited for; nothing was claimed yet."""

    def task(self: Task, job_id: str) -> None:
        run_stage(self, name, UUID(job_id))

    return app.task(
        task,
        name=str(name),
        bind=True,
        throws=(MainmaskError,),  # a broken picture is its sender's fault: a line in the log, not a traceback
        autoretry_for=(OperationalError,),
        retry_backoff=True,
        max_retries=10,
    )


classify, detect, segment = (_stage_task(name) for name in StageName)


def run_stage(task: Task, name: StageName, job_id: UUID) -> None:
    """Claim the stage, do its work outside any transaction, store the result, then wake the next stage's worker."""
    with runtime().sessions.begin() as session:
        job = jobs.claim_stage(session, job_id, name)
    if job is None:
        logger.info("%s of job %s is not queued: nothing to do", name, job_id)
        return
    try:
        output = stages.run(name, job, runtime())
    except Exception as error:
        _give_up_or_retry(task, name, job, error)
        raise
    if _save(name, job, output) and output.outcome is None and name.next:
        messages.send(name.next, job_id)


def _save(name: StageName, job: Job, output: stages.StageOutput) -> bool:
    """Commit the result with what follows from it: the job's end, or the next stage in the queue."""
    card = asdict(runtime().pipeline.cards[name])
    with runtime().sessions.begin() as session:
        if not jobs.complete_stage(session, job.id, name, output.result, card):
            return False
        session.add_all(output.instances)
        if output.outcome:
            session.flush()  # the instances are there before the job says so
            jobs.succeed(session, job.id, output.outcome)
        elif name.next:
            jobs.hand_on(session, job.id, name.next)
    return True


def _give_up_or_retry(task: Task, name: StageName, job: Job, error: Exception) -> None:
    """Requeue the stage by raising Celery's `Retry`, or end the job with the cause."""
    attempt = next(stage.attempts for stage in job.stages if stage.name is name)
    delay_seconds = retry_delay_seconds(name, attempt, error)
    with runtime().sessions.begin() as session:
        if delay_seconds is None:
            jobs.fail(session, job.id, name, _error_document(error))
        else:
            jobs.requeue_stage(session, job.id, name, _error_document(error))
    if delay_seconds is not None:
        raise task.retry(exc=error, countdown=delay_seconds, max_retries=None)


def _error_document(error: Exception) -> JSON:
    """What the caller is told: our own errors speak for themselves, the inside of others stays in the log."""
    if isinstance(error, MainmaskError):
        return {"type": error.code, "message": str(error)}
    return {"type": "internal", "message": f"An unexpected {type(error).__name__} ended the stage."}
