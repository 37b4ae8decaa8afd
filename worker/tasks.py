"""The Celery tasks, one a stage: what a message begins, and what follows it in the same thread."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NoReturn
from uuid import UUID

from celery import Task
from celery.exceptions import Retry

from db import claims, messages
from db.claims import Claim
from db.errors import MainmaskError
from db.models import Job
from db.session import OUTAGES
from db.states import StageName
from worker import runs
from worker.app import app
from worker.consuming import consuming
from worker.runs import Again, Saved
from worker.runtime import runtime

logger = logging.getLogger(__name__)


def _stage_task(name: StageName) -> Any:
    """Register the task of one stage."""

    def task(self: Task, job_id: str) -> float:
        with _outages_logged(name, job_id):
            return run_stage(partial(_again, self), name, UUID(job_id))

    return app.task(
        task,
        name=str(name),
        bind=True,
        # A broken picture is its sender's fault, an outage nobody's: a line in the log, not a traceback.
        throws=(MainmaskError, *OUTAGES),
        Request="worker.consuming:StageRequest",
    )


classify, detect, segment = (_stage_task(name) for name in StageName)


@contextmanager
def _outages_logged(name: StageName, job_id: str | UUID) -> Iterator[None]:
    """Nothing is lost: what was claimed is handed back, what was not is sent again. Flower is told of a failure."""
    try:
        yield
    except OUTAGES as error:
        logger.warning("%s of job %s: the database is unavailable: %s", name, job_id, error)
        raise


def run_stage(again: Again, name: StageName, job_id: UUID) -> float:
    """Run a stage that is queued and due, and what follows; a suspect one alone, so that it takes nobody with it.

    Returns how many seconds the stage itself took.
    """
    begun = time.monotonic()
    with runtime().gate.shared():
        if taken := runs.take(name, job_id, suspect=False):
            saved = runs.run(again, *taken, keeps=True)
            seconds = time.monotonic() - begun
            _go_on(saved, taken[1])
            return seconds
    with runtime().sessions() as session:
        is_suspect = claims.is_suspect(session, job_id, name)
    if is_suspect:
        with runtime().gate.alone():
            if taken := runs.take(name, job_id, suspect=True):
                _go_on(runs.run(again, *taken, keeps=False), taken[1])
                return time.monotonic() - begun
    logger.info("%s of job %s is not queued, or not due yet: nothing to do", name, job_id)
    return time.monotonic() - begun


def _go_on(saved: Saved | None, job: Job) -> None:
    """Do what this thread holds already, one stage after another; wake somebody for what it doesn't.

    A message to itself and another claim cost a worker more than all else that it does besides the model's call.
    """
    while saved and (claim := saved.claim):
        saved = None
        with consuming.told(claim), _outages_logged(claim.name, claim.job_id):
            saved = runs.run(partial(_send_again, claim), claim, job, keeps=True)
    if saved and saved.next_stage:
        messages.send(saved.next_stage, job.id)


def _again(task: Task, error: Exception, delay_seconds: float) -> NoReturn:
    raise task.retry(exc=error, countdown=delay_seconds, max_retries=None)


def _send_again(claim: Claim, error: Exception, delay_seconds: float) -> NoReturn:
    messages.send(claim.name, claim.job_id, delay_seconds=delay_seconds)
    raise Retry(exc=error, when=delay_seconds)
