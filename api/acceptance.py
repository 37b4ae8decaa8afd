"""How a submission becomes a job: image to S3, row to Postgres, then the message.

In this order a job that was answered for can't be lost: the row is the acceptance, and whatever is missing after it is
made up for by the sweep.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from uuid import UUID

from fastapi.responses import JSONResponse
from sqlalchemy.orm import Session

from api import drafts
from api.callers import Caller
from api.crowds import crowds
from api.drafts import Draft
from api.errors import QuotaExceeded
from api.submissions import Submission
from db import fairness, idempotency, jobs, messages, reuse
from db.documents import job_document
from db.errors import IdempotencyKeyReused, StorageUnavailable
from db.keys import job_prefix
from db.models import Job
from db.session import session_factory
from db.settings import settings
from db.states import StageName
from db.storage import object_store


@dataclass(frozen=True)
class Accepted:
    """What a request that makes something is answered."""

    status: HTTPStatus
    location: str
    body: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)

    def response(self) -> JSONResponse:
        """For FastAPI."""
        return JSONResponse(self.body, self.status, headers={"Location": self.location, **self.headers})


@dataclass(frozen=True)
class Repeatable:
    """A request with an `Idempotency-Key`, and the digest of all that it says."""

    caller: Caller
    key: str
    digest: str

    def before(self) -> Accepted | None:
        """The first answer, if there was one. Raises `IdempotencyKeyReused` where that was to another request."""
        with session_factory()() as session:
            known = idempotency.find(session, self.caller.tenant, self.key)
        if known is None:
            return None
        if known.request_sha256 != self.digest:
            raise IdempotencyKeyReused(self.key)
        return Accepted(HTTPStatus(known.status), known.location, known.body, {"Idempotent-Replayed": "true"})

    def keep(self, session: Session, accepted: Accepted) -> bool:
        """Keep the first answer with what it says was done; False: the same request was here at the same time."""
        return idempotency.keep(
            session,
            self.caller.tenant,
            self.key,
            timedelta(hours=settings().idempotency_hours),
            request_sha256=self.digest,
            status=accepted.status,
            location=accepted.location,
            body=accepted.body,
        )

    def other(self, made: Iterable[UUID]) -> Accepted:
        """The answer of the one that was first; what was `made` in vain is removed."""
        for job_id in made:
            with suppress(StorageUnavailable):  # then the sweep removes it
                object_store().delete_prefix(job_prefix(job_id))
        answer = self.before()
        if answer is None:
            raise IdempotencyKeyReused(self.key)
        return answer


def accept(caller: Caller, submission: Submission, key: str | None) -> Accepted:
    """Make a job of the submission, or answer as before where the `Idempotency-Key` is known.

    Raises `InvalidImage` and its kin, `UploadNotFound`, `IdempotencyKeyReused`, `QuotaExceeded` and
    `StorageUnavailable`.
    """
    wanted = drafts.draft(caller, submission)
    repeatable = Repeatable(caller, key, drafts.digest([wanted])) if key else None
    if repeatable and (answer := repeatable.before()):
        return answer
    source = drafts.store(caller, wanted)
    try:
        return _create_or_answer(caller, wanted, source, repeatable)
    except QuotaExceeded:
        # Of two at once, the first may have taken the place that the second one didn't need.
        if repeatable and repeatable.before():
            return repeatable.other([wanted.new.id])
        raise


def _create_or_answer(caller: Caller, wanted: Draft, source: Job | None, repeatable: Repeatable | None) -> Accepted:
    with session_factory().begin() as session:
        if source is None:
            # Asked before the image was read; many may have been let in since.
            caller.quotas.check_in_flight(session, caller.tenant)
        job = reuse.create(session, wanted.new, source) if source else create(session, caller, wanted)
        accepted = None
        if repeatable:
            accepted = _answer(job)
            if not repeatable.keep(session, accepted):
                session.rollback()
                return repeatable.other([wanted.new.id])
    if source is None:
        wake(job)
    return accepted or _answer(job)  # what need not be kept need not be written before a worker is woken


def create(session: Session, caller: Caller, wanted: Draft) -> Job:
    """Insert the job, behind those that its caller has in flight."""
    in_flight = crowds().join(session, caller.tenant)
    return jobs.create(session, wanted.new, message_priority=fairness.message_priority(wanted.new.priority, in_flight))


def wake(job: Job) -> None:
    """Tell a worker of the job, after its row is committed."""
    messages.send(StageName.CLASSIFY, job.id, priority=job.stages[0].priority)


def _answer(job: Job) -> Accepted:
    status = HTTPStatus.OK if job.reused_from else HTTPStatus.ACCEPTED
    return Accepted(status, f"/v1/jobs/{job.id}", job_document(job, object_store()).model_dump(mode="json"))
