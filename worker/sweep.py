"""The sweep: what makes sure that no job is forgotten, whoever died. Any number may run at once."""

import logging
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

from kombu.exceptions import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from db import batches, claims, idempotency, jobs, lines, messages, signing, sweep, uploads
from db.claims import Claim
from db.errors import WorkerLost
from db.keys import FEATURES, job_prefix, upload_key
from db.lines import Limits
from db.models import Job, Upload
from db.states import StageName
from db.storage import ObjectStore
from worker.retries import retry_delay_seconds

logger = logging.getLogger(__name__)

BATCH = 500
"""Rows a transaction; what is left waits for the next round, a moment later."""


class Watch:
    """Whether the database has been seen without a gap for long enough to tell who is silent.

    An outage silences everybody: right after it, workers that live have not renewed their leases yet.
    """

    def __init__(self, longest_gap: timedelta, patience: timedelta) -> None:
        """A longer time between two looks than `longest_gap` is an outage; nobody is judged for `patience` after it."""
        self._longest_gap_seconds = longest_gap.total_seconds()
        self._patience_seconds = patience.total_seconds()
        self._since = self._last = float("-inf")

    def looked(self, now: float) -> bool:
        """Note that the database has answered at `now`, in seconds by the monotonic clock; True: judge."""
        if now - self._last > self._longest_gap_seconds:
            self._since = now
        self._last = now
        return now - self._since >= self._patience_seconds


def take_over(sessions: sessionmaker[Session], watch: Watch) -> int:
    """Queue the stages again whose workers were lost, or fail those that have lost too many; returns how many."""
    error = WorkerLost()
    document = {"type": error.code, "message": str(error)}
    again: list[Claim] = []
    with sessions.begin() as session:
        expired = sweep.expired_claims(session, BATCH)
        # After the answer, which an outage may have held up.
        if not watch.looked(time.monotonic()):
            return 0
        for claim in expired:
            delay_seconds = retry_delay_seconds(claim.name, claim.attempt, error)
            if delay_seconds is not None:
                claims.retry(session, claim, document, delay_seconds)
                again.append(claim)
            elif claims.fail(session, claim, document):
                jobs.fail(session, claim.job_id, claim.name, document)
    for claim in expired:
        logger.warning(
            "%s of job %s: its worker was lost at attempt %d",
            claim.name,
            claim.job_id,
            claim.attempt,
            extra=claim.log_fields,
        )
    messages.send_all((claim.name, claim.job_id, 0) for claim in again)
    return len(expired)


def resend(sessions: sessionmaker[Session], silence: timedelta) -> int:
    """Send messages again that seem lost: more stages wait than messages lie in their queue. Returns how many.

    A stage that only waits its turn has its message in the queue, so a long queue is not sent again and again. Should
    a message be sent twice, the second finds nothing to claim.
    """
    return sum(_resend_stage(sessions, silence, name) for name in StageName)


def _resend_stage(sessions: sessionmaker[Session], silence: timedelta, name: StageName) -> int:
    try:
        waiting = messages.waiting(name)
    except OperationalError as error:
        logger.warning("Redis does not answer, so nothing can be sent: %s", error)
        return 0
    with sessions.begin() as session:
        missing = sweep.due_count(session, name) - waiting
        lost = sweep.mark_resent(session, name, silence, min(missing, BATCH)) if missing > 0 else []
    for job_id, _ in lost:
        logger.warning(
            "%s of job %s: its message seems lost, and is sent again",
            name,
            job_id,
            extra={"job_id": str(job_id), "stage": str(name)},
        )
    messages.send_all((name, job_id, priority) for job_id, priority in lost)
    return len(lost)


def promote(sessions: sessionmaker[Session], age: timedelta) -> int:
    """Let the job that has waited longest go first, if it has waited longer than `age`; returns how many.

    One a round: callers with few jobs stay ahead of those with many, who still get on.
    """
    with sessions.begin() as session:
        promoted = sweep.promote(session, StageName.CLASSIFY, age, limit=1)
    messages.send_all((StageName.CLASSIFY, job_id, priority) for job_id, priority in promoted)
    return len(promoted)


def send_deliveries(sessions: sessionmaker[Session], silence: timedelta, limits: Limits) -> int:
    """Send the messages of webhooks that are due, as many as there is room for; returns how many.

    No more than their queue drains: while nobody takes them, they don't pile up.
    """
    try:
        waiting = messages.waiting(messages.WEBHOOKS)
    except OperationalError as error:
        logger.warning("Redis does not answer, so nothing can be sent: %s", error)
        return 0
    if waiting >= BATCH:
        return 0
    with sessions.begin() as session:
        due = lines.mark_due(session, silence, limits, BATCH - waiting)
    messages.send_deliveries(due)
    return len(due)


def expire(sessions: sessionmaker[Session], store: ObjectStore, age: timedelta) -> int:
    """Remove jobs that ended longer ago than `age`, with their objects, and batches without jobs; returns how many."""
    removed = 0
    while batch := _expire_batch(sessions, store, age):
        removed += batch
    while _expire_batches(sessions, age):
        pass
    return removed


def _expire_batches(sessions: sessionmaker[Session], age: timedelta) -> int:
    with sessions.begin() as session:
        return batches.expire(session, age, BATCH)


def forget(sessions: sessionmaker[Session], store: ObjectStore) -> None:
    """Remove uploads, idempotent answers and signing secrets whose time is over."""
    while _forget_uploads(sessions, store):
        pass
    while _forget_answers(sessions):
        pass
    with sessions.begin() as session:
        signing.forget_expired(session)


def _forget_uploads(sessions: sessionmaker[Session], store: ObjectStore) -> int:
    with sessions.begin() as session:
        upload_ids = uploads.expired(session, BATCH)
        store.delete([upload_key(upload_id) for upload_id in upload_ids])
        uploads.forget(session, upload_ids)
    return len(upload_ids)


def _forget_answers(sessions: sessionmaker[Session]) -> int:
    with sessions.begin() as session:
        return idempotency.forget_expired(session, BATCH)


def forget_features(store: ObjectStore, age: timedelta) -> None:
    """Remove what workers left for each other longer ago than `age`: by the storage's own clock, or nearly."""
    store.delete_older(FEATURES, datetime.now(UTC) - age)


def _expire_batch(sessions: sessionmaker[Session], store: ObjectStore, age: timedelta) -> int:
    with sessions.begin() as session:
        job_ids = sweep.finished_before(session, age, BATCH)
        remove(session, store, job_ids)
    return len(job_ids)


def remove_orphans(sessions: sessionmaker[Session], store: ObjectStore, since: datetime, until: datetime) -> int:
    """Remove the objects of submissions between these moments that never became jobs; returns how many.

    An image is stored before its row: when Postgres goes away between the two, the image stays behind.
    """
    removed = 0
    for job_ids in store.job_ids(since, until):
        with sessions() as session:
            orphans = sweep.unknown(session, Job, job_ids)
        for job_id in orphans:
            store.delete_prefix(job_prefix(job_id))
        removed += len(orphans)
    return removed


def remove_orphaned_uploads(sessions: sessionmaker[Session], store: ObjectStore, until: datetime) -> int:
    """Remove the objects of uploads begun before this moment that are forgotten already; returns how many.

    A PUT that began in time may end after the upload has expired and its object, such as it was, is removed.
    """
    removed = 0
    for upload_ids in store.upload_ids(until):
        with sessions() as session:
            orphans = sweep.unknown(session, Upload, upload_ids)
        store.delete([upload_key(upload_id) for upload_id in orphans])
        removed += len(orphans)
    return removed


def remove(session: Session, store: ObjectStore, job_ids: list[UUID]) -> None:
    """Objects first: should this process end between, the rows are still there to try again."""
    for job_id in job_ids:
        store.delete_prefix(job_prefix(job_id))
    jobs.delete(session, job_ids)
