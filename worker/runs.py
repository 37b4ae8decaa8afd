"""One run of a stage: the claim, the work, and what is stored at its end."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NoReturn
from uuid import UUID

from opentelemetry.trace import SpanKind
from sqlalchemy.orm import Session
from structlog.contextvars import bind_contextvars

from db import claims, jobs, reuse, tracing
from db.claims import Claim
from db.errors import MainmaskError
from db.keys import job_prefix
from db.models import JSON, Job
from db.session import OUTAGES
from db.states import StageName
from worker import stages
from worker.consuming import consuming
from worker.outgoing.busy import OutgoingBusy
from worker.retries import busy_delay_seconds, retry_delay_seconds
from worker.runtime import runtime

logger = logging.getLogger(__name__)

Again = Callable[[Exception, float], NoReturn]
"""Has the stage begun anew after so many seconds because of this error, and raises Celery's `Retry`."""


@dataclass(frozen=True)
class Saved:
    """What follows from a stored result: the next stage, queued, or held by this thread already; or the job's end."""

    next_stage: StageName | None = None
    claim: Claim | None = None


def take(name: StageName, job_id: UUID, *, suspect: bool) -> tuple[Claim, Job] | None:
    """The claim, committed, with the job as it is now; None when there is nothing to take."""
    with runtime().sessions.begin() as session:
        claim = claims.take(session, job_id, name, runtime().holder, suspect=suspect)
        return None if claim is None else (claim, jobs.start(session, job_id))


def run(again: Again, claim: Claim, job: Job, *, keeps: bool) -> Saved | None:
    """The work, between two short transactions; the lease is renewed for as long as it takes.

    With `keeps` the next stage is taken as this one ends, where this process does such, and `job` then has what it
    reads. None when the claim was lost meanwhile.
    """
    bind_contextvars(**claim.log_fields)
    try:
        with runtime().leases.held(claim):
            saved = _work(again, claim, job, keeps=keeps)
    except OUTAGES:
        runtime().leases.give_up(claim)
        raise
    if not saved:
        logger.warning("%s of job %s was taken over or canceled: its result is refused", claim.name, claim.job_id)
        _clear_if_deleted(claim.job_id)
    return saved


def _work(again: Again, claim: Claim, job: Job, *, keeps: bool) -> Saved | None:
    try:
        with tracing.span(claim.name, job.traceparent, SpanKind.CONSUMER, _attributes(claim, job)):
            output = stages.run(claim.name, job, runtime())
            return save(claim, job, output, keeps=keeps)
    except OUTAGES:
        raise
    except OutgoingBusy as error:
        _come_back(again, claim, error)
    except Exception as error:
        _give_up_or_retry(again, claim, error)
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


def save(claim: Claim, job: Job, output: stages.StageOutput, *, keeps: bool) -> Saved | None:
    """Commit the result with what follows from it: the job's end, or the next stage; None when the claim was lost."""
    with runtime().sessions.begin() as session:
        saved = _leave(session, claim, output, keeps=keeps)
        if not saved:
            return None
        session.add_all(output.instances)
        if output.image:
            jobs.describe_image(session, claim.job_id, output.image, output.reuse_key)
        if output.answer:
            reuse.fill_in(session, claim.job_id, output.answer)
        if output.outcome:
            session.flush()  # the instances are there before the job says so
            jobs.succeed(session, claim.job_id, claim.name, output.outcome, output.label)
    if saved.claim:
        _bring_up_to_date(job, output, claim, saved.claim)
    return saved


def _leave(session: Session, claim: Claim, output: stages.StageOutput, *, keeps: bool) -> Saved | None:
    next_stage = claim.name.next if output.outcome is None else None
    if next_stage and keeps and consuming.takes(next_stage):
        held = claims.keep(session, claim, output.result, output.model, runtime().holder)
        return Saved(next_stage, held) if held else None
    is_held = claims.complete(session, claim, output.result, output.model, hand_on_to=next_stage)
    return Saved(next_stage) if is_held else None


def _bring_up_to_date(job: Job, output: stages.StageOutput, ended: Claim, begun: Claim) -> None:
    """What the next stage reads of the job: it needn't be loaded again."""
    for stage in job.stages:
        if stage.name is ended.name:
            stage.result = output.result
        elif stage.name is begun.name:
            stage.attempts = begun.attempt
    if output.image:
        job.image_sha256 = output.image.sha256


def _come_back(again: Again, claim: Claim, error: OutgoingBusy) -> NoReturn:
    """Hand the stage back for a moment: other stages need the thread, and its picture wasn't asked for yet."""
    delay_seconds = busy_delay_seconds()
    with runtime().sessions.begin() as session:
        claims.hand_back(session, [claim], delay_seconds)
    again(error, delay_seconds)


def _give_up_or_retry(again: Again, claim: Claim, error: Exception) -> None:
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
        again(error, delay_seconds)


def error_document(error: Exception) -> JSON:
    """What the caller is told: our own errors speak for themselves, the inside of others stays in the log."""
    if isinstance(error, MainmaskError):
        return {"type": error.code, "message": str(error)}
    return {"type": "internal", "message": f"An unexpected {type(error).__name__} ended the stage."}
