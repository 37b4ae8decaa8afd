"""The Celery tasks, one a stage: claim, do the work, save, hand on."""

import logging
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from celery import Task
from opentelemetry.trace import SpanKind
from structlog.contextvars import bind_contextvars

from db import claims, jobs, messages, reuse, tracing
from db.claims import Claim
from db.errors import MainmaskError
from db.keys import job_prefix
from db.models import JSON, Job
from db.session import OUTAGES
from db.states import StageName
from worker import stages
from worker.app import app
from worker.outgoing.busy import OutgoingBusy
from worker.retries import busy_delay_seconds, retry_delay_seconds
from worker.runtime import runtime

logger = logging.getLogger(__name__)


def _stage_task(name: StageName) -> Any:
    """Register the task of one stage."""

    def task(self: Task, job_id: str) -> None:
        try:
            run_stage(self, name, UUID(job_id))
        except OUTAGES as error:
            # Nothing is lost: what was claimed is handed back, what was not is sent again.
            logger.warning("%s of job %s: the database is unavailable: %s", name, job_id, error)

    return app.task(
        task,
        name=str(name),
        bind=True,
        throws=(MainmaskError,),  # a broken picture is its sender's fault: a line in the log, not a traceback
    )


classify, detect, segment = (_stage_task(name) for name in StageName)


def run_stage(task: Task, name: StageName, job_id: UUID) -> None:
    """Run a stage that is queued and due; a suspect one alone, so that it takes nobody with it."""
    with runtime().gate.shared():
        if taken := take(name, job_id, suspect=False):
            _run(task, *taken)
            return
    with runtime().sessions() as session:
        is_suspect = claims.is_suspect(session, job_id, name)
    if is_suspect:
        with runtime().gate.alone():
            if taken := take(name, job_id, suspect=True):
                _run(task, *taken)
                return
    logger.info("%s of job %s is not queued, or not due yet: nothing to do", name, job_id)


def take(name: StageName, job_id: UUID, *, suspect: bool) -> tuple[Claim, Job] | None:
    """The claim, committed, with the job as it is now; None when there is nothing to take."""
    with runtime().sessions.begin() as session:
        claim = claims.take(session, job_id, name, runtime().holder, suspect=suspect)
        return None if claim is None else (claim, jobs.start(session, job_id))


def _run(task: Task, claim: Claim, job: Job) -> None:
    """The work, between two short transactions; the lease is renewed for as long as it takes."""
    bind_contextvars(**claim.log_fields)
    try:
        with runtime().leases.held(claim):
            saved, output = _work(task, claim, job)
    except OUTAGES:
        runtime().leases.give_up(claim)
        raise
    if not saved:
        logger.warning("%s of job %s was taken over or canceled: its result is refused", claim.name, claim.job_id)
        _clear_if_deleted(claim.job_id)
    elif output.outcome is None and claim.name.next:
        messages.send(claim.name.next, claim.job_id)


def _work(task: Task, claim: Claim, job: Job) -> tuple[bool, stages.StageOutput]:
    try:
        with tracing.span(claim.name, job.traceparent, SpanKind.CONSUMER, _attributes(claim, job)):
            output = stages.run(claim.name, job, runtime())
            return save(claim, output), output
    except OUTAGES:
        raise
    except OutgoingBusy as error:
        _come_back(task, claim, error)
        raise
    except Exception as error:
        _give_up_or_retry(task, claim, error)
        raise


def _clear_if_deleted(job_id: UUID) -> None:
    """Remove what was stored for a job whose pictures were removed before, with its row."""
    with runtime().sessions() as session:
        is_there = session.get(Job, job_id) is not None
    if not is_there:
        runtime().store.delete_prefix(job_prefix(job_id))


def _attributes(claim: Claim, job: Job) -> Mapping[str, str | int]:
    return {
        "messaging.system": "redis",
        "messaging.operation.type": "process",
        "messaging.destination.name": claim.name,
        "mainmask.job.id": str(claim.job_id),
        "mainmask.attempt": claim.attempt,
        "mainmask.tenant": job.tenant,
    }


def save(claim: Claim, output: stages.StageOutput) -> bool:
    """Commit the result with what follows from it: the job's end, or the next stage in the queue."""
    with runtime().sessions.begin() as session:
        next_stage = claim.name.next if output.outcome is None else None
        if not claims.complete(session, claim, output.result, output.model, hand_on_to=next_stage):
            return False
        session.add_all(output.instances)
        if output.image:
            jobs.describe_image(session, claim.job_id, output.image, output.reuse_key)
        if output.answer:
            reuse.fill_in(session, claim.job_id, output.answer)
        if output.outcome:
            session.flush()  # the instances are there before the job says so
            jobs.succeed(session, claim.job_id, claim.name, output.outcome, output.label)
    return True


def _come_back(task: Task, claim: Claim, error: OutgoingBusy) -> None:
    """Hand the stage back for a moment: other stages need the thread, and its picture wasn't asked for yet."""
    delay_seconds = busy_delay_seconds()
    with runtime().sessions.begin() as session:
        claims.hand_back(session, [claim], delay_seconds)
    raise task.retry(exc=error, countdown=delay_seconds, max_retries=None)


def _give_up_or_retry(task: Task, claim: Claim, error: Exception) -> None:
    """Queue the stage again and raise Celery's `Retry`, which Flower shows as one; or end the job with the cause."""
    delay_seconds = retry_delay_seconds(claim.name, claim.attempt, error)
    document = error_document(error)
    with runtime().sessions.begin() as session:
        if delay_seconds is not None:
            was_held = claims.retry(session, claim, document, delay_seconds)
        elif was_held := claims.fail(session, claim, document):
            jobs.fail(session, claim.job_id, claim.name, document)
    if not was_held:
        _clear_if_deleted(claim.job_id)
    if delay_seconds is not None:
        raise task.retry(exc=error, countdown=delay_seconds, max_retries=None)


def error_document(error: Exception) -> JSON:
    """What the caller is told: our own errors speak for themselves, the inside of others stays in the log."""
    if isinstance(error, MainmaskError):
        return {"type": error.code, "message": str(error)}
    return {"type": "internal", "message": f"An unexpected {type(error).__name__} ended the stage."}
