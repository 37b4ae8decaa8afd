"""Submit a job, ask for it, fetch its pictures."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from api.acceptance import accept
from api.callers import Caller, CallerOf
from api.idempotency import IdempotencyKey
from api.problems import responses
from api.submissions import JsonSubmission, MultipartSubmission, reading
from db import jobs, messages
from db.documents import JobDocument, job_document
from db.errors import ArtifactNotFound, JobHasEnded, JobNotFailed
from db.keys import artifact_key, job_prefix
from db.models import Job
from db.session import session_factory
from db.states import TERMINAL, Artifact, JobStatus
from db.storage import object_store

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

POLL_AFTER_SECONDS = 1
YOUNG = timedelta(seconds=2)
"""Most jobs end before this age: until then callers may ask as often as they like."""

CHANGE_ERRORS = (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY)

REQUEST_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": MultipartSubmission.model_json_schema()},
            "application/json": {"schema": JsonSubmission.model_json_schema()},
        },
    }
}


@router.post(
    "",
    status_code=HTTPStatus.ACCEPTED,
    response_model=JobDocument,
    openapi_extra=REQUEST_BODY,
    responses={
        HTTPStatus.OK: {"model": JobDocument, "description": "Answered at once, with an earlier job's result."},
        **responses(
            HTTPStatus.BAD_REQUEST,
            HTTPStatus.NOT_FOUND,
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            HTTPStatus.UNPROCESSABLE_ENTITY,
            HTTPStatus.SERVICE_UNAVAILABLE,
        ),
    },
)
async def submit(request: Request, caller: CallerOf, idempotency_key: IdempotencyKey = None) -> Response:
    """Submit a picture with a description or labels. The job is accepted when this answers 202."""
    async with reading(request) as submission:
        accepted = await run_in_threadpool(accept, caller, submission, idempotency_key)
    return accepted.response()


class JobPage(BaseModel):
    """Some jobs, the newest first."""

    jobs: list[JobDocument]
    next: UUID | None = Field(description="Send it as `before` for the next page; null on the last.")


@router.get("", responses=responses(HTTPStatus.UNPROCESSABLE_ENTITY))
def page(
    caller: CallerOf,
    status: Annotated[JobStatus | None, Query(description="Only jobs in this state.")] = None,
    before: Annotated[UUID | None, Query(description="Only jobs older than this one.")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> JobPage:
    """Jobs, the newest first; `status=failed` is the list of those that need somebody, each with its cause."""
    with session_factory()() as session:
        found = jobs.page(session, caller.tenant, status=status, before=before, limit=limit + 1)
    listed = [job_document(job, object_store()) for job in found[:limit]]
    return JobPage(jobs=listed, next=listed[-1].id if len(found) > limit else None)


@router.post("/{job_id}/cancel", responses=responses(*CHANGE_ERRORS))
def cancel(job_id: UUID, caller: CallerOf) -> JobDocument:
    """End the job now. A stage that runs is not interrupted, but its result is dropped."""
    with session_factory().begin() as session:
        jobs.find(session, caller.tenant, job_id)
        canceled = jobs.cancel(session, job_id)
        job = jobs.get(session, job_id)
    if not canceled and job.status is not JobStatus.CANCELED:
        raise JobHasEnded(job_id, job.status)
    return job_document(job, object_store())


@router.post("/{job_id}/retry", status_code=HTTPStatus.ACCEPTED, responses=responses(*CHANGE_ERRORS))
def retry(job_id: UUID, caller: CallerOf) -> JobDocument:
    """Start a failed job again at the stage that failed; the earlier stages' results stay."""
    with session_factory().begin() as session:
        jobs.find(session, caller.tenant, job_id)
        stage = jobs.requeue(session, job_id)
        job = jobs.get(session, job_id)
    if stage is None:
        raise JobNotFailed(job_id, job.status)
    messages.send(stage, job_id)
    return job_document(job, object_store())


@router.delete(
    "/{job_id}",
    status_code=HTTPStatus.NO_CONTENT,
    responses=responses(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE),
)
def delete(job_id: UUID, caller: CallerOf) -> None:
    """Remove the job with its image and masks; one that hasn't ended is canceled first."""
    with session_factory().begin() as session:
        jobs.find(session, caller.tenant, job_id)
        jobs.cancel(session, job_id)
    # Objects before rows: should this fail half-way, the row is still there to try again.
    object_store().delete_prefix(job_prefix(job_id))
    with session_factory().begin() as session:
        jobs.delete(session, [job_id])


@router.get("/{job_id}", responses=responses(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY))
def show(job_id: UUID, caller: CallerOf, response: Response) -> JobDocument:
    """The job as it stands; `result` is there once it has succeeded."""
    job = find(caller, job_id)
    if job.status not in TERMINAL and datetime.now(UTC) - job.created_at > YOUNG:
        response.headers["Retry-After"] = str(POLL_AFTER_SECONDS)
    return job_document(job, object_store())


@router.get(
    "/{job_id}/{artifact}",
    status_code=HTTPStatus.TEMPORARY_REDIRECT,
    response_class=RedirectResponse,
    responses=responses(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY),
)
def fetch(
    job_id: UUID,
    caller: CallerOf,
    artifact: Artifact,
    instance: Annotated[int, Query(ge=0, description="Which instance, from 0.")] = 0,
) -> str:
    """Redirect to a presigned URL of the PNG: the mask, the RGBA cut-out, or the overlay for the eye."""
    job = find(caller, job_id)
    if job.status not in TERMINAL:
        raise ArtifactNotFound(artifact, instance, f"the job is {job.status}")
    if instance >= len(job.instances):
        raise ArtifactNotFound(artifact, instance, f"the job found {len(job.instances)} instances")
    if artifact not in job.outputs:
        raise ArtifactNotFound(artifact, instance, "the job's `outputs` did not ask for it")
    return object_store().url(artifact_key(job_id, instance, artifact))


def find(caller: Caller, job_id: UUID) -> Job:
    """The caller's job with its stages and instances; raises `JobNotFound`."""
    with session_factory()() as session:
        return jobs.find(session, caller.tenant, job_id)
