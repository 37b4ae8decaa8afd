"""Several submissions in one call: all of them become jobs, or none."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, cast
from uuid import UUID

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, FailFast, Field
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from api import drafts
from api.acceptance import Accepted, Repeatable, create
from api.callers import Caller
from api.drafts import Draft
from api.errors import BodyTooLarge, QuotaExceeded
from api.submissions import JsonSubmission, Url, from_json, validated
from api.texts import Metadata
from db import batches, messages, reuse
from db.batches import NewBatch
from db.documents import batch_document
from db.errors import MainmaskError, UploadNotFound
from db.models import Job
from db.session import session_factory
from db.settings import settings
from db.states import StageName

STORING_THREADS = 8


class BatchSubmission(BaseModel):
    """The JSON body of a batch."""

    model_config = ConfigDict(extra="forbid")

    # Each is checked by itself, so that errors name it.
    jobs: Annotated[list[dict[str, Any]], FailFast()] = Field(
        min_length=1,
        description="Submissions, as POST /v1/jobs takes them in JSON.",
        json_schema_extra={"items": cast("Any", JsonSubmission.model_json_schema())},
    )
    webhook_url: Url | None = Field(None, description="Where to POST to when the last of them has ended.")
    metadata: Metadata = Field(default_factory=dict, description="Yours; given back with the batch.")


def accept_batch(caller: Caller, body: Any, key: str | None) -> Accepted:
    """Make jobs of all the submissions, or answer as before where the `Idempotency-Key` is known.

    Raises `RequestValidationError`, which says where, and what `acceptance.accept` raises.
    """
    submission = validated(BatchSubmission, body)
    wanted = _drafts(caller, submission)
    digest = drafts.digest(wanted, submission.webhook_url, submission.metadata)
    repeatable = Repeatable(caller, key, digest) if key else None
    if repeatable and (answer := repeatable.before()):
        return answer
    with ThreadPoolExecutor(STORING_THREADS) as threads:
        sources = list(threads.map(partial(_store, caller), range(len(wanted)), wanted))
    new = NewBatch(
        id=uuid7(),
        tenant=caller.tenant,
        total=len(wanted),
        remaining=sources.count(None),
        caller_metadata=submission.metadata,
        webhook_url=submission.webhook_url,
    )
    try:
        return _create_or_answer(caller, new, list(zip(wanted, sources, strict=True)), repeatable)
    except QuotaExceeded:
        # Of two at once, the first may have taken the place that the second one didn't need.
        if repeatable and repeatable.before():
            return repeatable.other(one.new.id for one in wanted)
        raise


def _store(caller: Caller, index: int, wanted: Draft) -> Job | None:
    """As `drafts.store`; errors of the upload say which job they are about."""
    try:
        return drafts.store(caller, wanted)
    except (UploadNotFound, BodyTooLarge) as error:
        raise error.at(f"jobs.{index}") from error


def _create_or_answer(
    caller: Caller, new: NewBatch, wanted: Sequence[tuple[Draft, Job | None]], repeatable: Repeatable | None
) -> Accepted:
    with session_factory().begin() as session:
        caller.quotas.check_in_flight(session, caller.tenant, adding=new.remaining)
        batch = batches.create(session, new)
        made = _create_jobs(session, caller, new.id, wanted)
        body = batch_document(batch, batches.counts(session, batch.id)).model_dump(mode="json")
        accepted = Accepted(HTTPStatus.ACCEPTED, f"/v1/batches/{batch.id}", body)
        if repeatable and not repeatable.keep(session, accepted):
            session.rollback()
            return repeatable.other(one.new.id for one, _ in wanted)
    messages.send_all((StageName.CLASSIFY, job.id, job.stages[0].priority) for job in made)
    return accepted


def _drafts(caller: Caller, submission: BatchSubmission) -> list[Draft]:
    """Of every submission; errors say which one they are about."""
    maximum = settings().maximum_batch_jobs
    if len(submission.jobs) > maximum:
        message = f"at most {maximum} jobs are taken in one call"
        raise RequestValidationError([{"loc": ("jobs",), "msg": message, "type": "too_long"}])
    wrong: list[Any] = []
    found = []
    for index, values in enumerate(submission.jobs):
        try:
            found.append(drafts.draft(caller, from_json(values, ("jobs", index))))
        except RequestValidationError as error:
            wrong.extend(error.errors())
        except MainmaskError as error:
            raise error.at(f"jobs.{index}") from error
    if wrong:
        raise RequestValidationError(wrong)
    return found


def _create_jobs(
    session: Session, caller: Caller, batch_id: UUID, wanted: Sequence[tuple[Draft, Job | None]]
) -> list[Job]:
    """Insert them all; returns those that a worker is to be woken for."""
    made: list[Job] = []
    for one, source in wanted:
        draft = replace(one, new=replace(one.new, batch_id=batch_id))
        if source is not None:
            reuse.create(session, draft.new, source)
        else:
            made.append(create(session, caller, draft))
    return made
