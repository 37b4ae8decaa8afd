"""Submit a job, ask for it, fetch its pictures."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse, StreamingResponse
from starlette.concurrency import run_in_threadpool

from api.acceptance import accept
from api.admission import ADMISSION, RETRY_ADMISSION
from api.callers import CallerOf
from api.crowds import crowds
from api.entity_tags import IfNoneMatch, etag, matches
from api.event_stream import stream
from api.guards import needs
from api.idempotency import IdempotencyKey
from api.ids import JobId
from api.job_lists import JobPage, ListQuery
from api.pace import PaceKeeper
from api.problems import SUBMISSION_ERRORS, responses
from api.response_headers import documented
from api.submissions import JsonSubmission, MultipartSubmission, reading
from api.waiting import Prefer, ended, find, wait_seconds
from db import fairness, jobs, listing, messages
from db.api_keys import Scope
from db.documents import JobDocument, job_document
from db.errors import ArtifactNotFound, JobHasEnded, JobNotFailed, JobNotFound
from db.events import events
from db.keys import artifact_key, job_prefix
from db.models import Job
from db.outlook import Outlook
from db.session import OUTAGES, session_factory
from db.states import TERMINAL, Artifact, JobStatus
from db.storage import object_store

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

POLL_AFTER_SECONDS = 1
YOUNG = timedelta(seconds=2)
"""Most jobs end before this age: until then callers may ask as often as they like."""

LastEventId = Annotated[str | None, Header(description="The number of the last event that you have.")]

CHANGE_ERRORS = (
    HTTPStatus.NOT_FOUND,
    HTTPStatus.CONFLICT,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.SERVICE_UNAVAILABLE,
)

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
    dependencies=[needs(Scope.JOBS_WRITE), ADMISSION],
    response_model=JobDocument,
    openapi_extra=REQUEST_BODY,
    responses={
        HTTPStatus.OK: {
            "model": JobDocument,
            "description": "The job has ended: by an earlier job's result, or within the time of `Prefer: wait`.",
            **documented("Location", "Idempotent-Replayed", "Preference-Applied"),
        },
        HTTPStatus.ACCEPTED: documented("Location", "Idempotent-Replayed", "Preference-Applied"),
        **responses(*SUBMISSION_ERRORS),
    },
)
async def submit_job(
    request: Request, caller: CallerOf, idempotency_key: IdempotencyKey = None, prefer: Prefer = None
) -> Response:
    """Submit a picture with a description or labels. The job is accepted when this answers 202.

    With `Prefer: wait=N` it answers 200 and the result, if the job ends within so many seconds.
    """
    async with reading(request) as submission:
        accepted = await run_in_threadpool(accept, caller, submission, idempotency_key)
    seconds = wait_seconds(prefer)
    if not seconds:
        return accepted.response()
    try:
        job = await ended(caller, UUID(accepted.body["id"]), request.app.state.changes, seconds)
    except (JobNotFound, *OUTAGES):
        # It was accepted, whatever has become of it since.
        return accepted.response()
    return replace(
        accepted,
        status=HTTPStatus.OK if job.status in TERMINAL else accepted.status,
        body=job_document(job, object_store()).model_dump(mode="json"),
        headers={**accepted.headers, "Preference-Applied": f"wait={seconds}"},
    ).response()


@router.get(
    "",
    dependencies=[needs(Scope.JOBS_READ)],
    responses=responses(HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE),
)
def list_jobs(caller: CallerOf, wanted: Annotated[ListQuery, Query()]) -> JobPage:
    """Jobs, the newest first; `status=failed` is the list of those that need somebody, each with its cause."""
    with session_factory()() as session:
        found = listing.page(session, caller.tenant, wanted.filter(), before=wanted.before, limit=wanted.limit + 1)
    listed = [job_document(job, object_store()) for job in found[: wanted.limit]]
    return JobPage(jobs=listed, next=listed[-1].id if len(found) > wanted.limit else None)


@router.post("/{job_id}/cancel", dependencies=[needs(Scope.JOBS_WRITE)], responses=responses(*CHANGE_ERRORS))
def cancel_job(job_id: JobId, caller: CallerOf) -> JobDocument:
    """End the job now. A stage that runs is not interrupted, but its result is dropped."""
    with session_factory().begin() as session:
        jobs.find(session, caller.tenant, job_id)
        canceled = jobs.cancel(session, job_id)
        job = jobs.get(session, job_id)
    if not canceled and job.status is not JobStatus.CANCELED:
        raise JobHasEnded(job_id, job.status)
    return job_document(job, object_store())


@router.post(
    "/{job_id}/retry",
    status_code=HTTPStatus.ACCEPTED,
    dependencies=[needs(Scope.JOBS_WRITE), RETRY_ADMISSION],
    responses=responses(HTTPStatus.LENGTH_REQUIRED, *CHANGE_ERRORS),
)
def retry_job(job_id: JobId, caller: CallerOf) -> JobDocument:
    """Start a failed job again at the stage that failed; the earlier stages' results stay."""
    with session_factory().begin() as session:
        wanted = jobs.find(session, caller.tenant, job_id).priority
        caller.quotas.check_in_flight(session, caller.tenant)
        # Behind those that its caller has in flight, like a new one.
        priority = fairness.message_priority(wanted, crowds().join(session, caller.tenant))
        stage = jobs.requeue(session, job_id, message_priority=priority)
        session.expire_all()
        job = jobs.get(session, job_id)
    if stage is None:
        raise JobNotFailed(job_id, job.status)
    messages.send(stage, job_id, priority=priority)
    return job_document(job, object_store())


@router.delete(
    "/{job_id}",
    status_code=HTTPStatus.NO_CONTENT,
    dependencies=[needs(Scope.JOBS_WRITE)],
    responses=responses(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE),
)
def delete_job(job_id: JobId, caller: CallerOf) -> None:
    """Remove the job with its image and masks; one that hasn't ended is canceled first."""
    with session_factory().begin() as session:
        jobs.find(session, caller.tenant, job_id)
        jobs.cancel(session, job_id)
    # Objects before rows: should this fail half-way, the row is still there to try again.
    object_store().delete_prefix(job_prefix(job_id))
    with session_factory().begin() as session:
        jobs.delete(session, [job_id])
    # What a stage that ran has stored meanwhile. One that stores later finds the row gone, and removes it itself.
    object_store().delete_prefix(job_prefix(job_id))


@router.get(
    "/{job_id}",
    dependencies=[needs(Scope.JOBS_READ)],
    response_model=JobDocument,
    responses={
        HTTPStatus.OK: documented("ETag", "Preference-Applied", "Retry-After"),
        HTTPStatus.NOT_MODIFIED: {
            "description": "The job is as the `ETag` in `If-None-Match` says.",
            **documented("ETag", "Preference-Applied", "Retry-After"),
        },
        **responses(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE),
    },
)
async def get_job(
    job_id: JobId, request: Request, caller: CallerOf, prefer: Prefer = None, if_none_match: IfNoneMatch = None
) -> Response:
    """The job as it stands; `result` is there once it has succeeded. With `Prefer: wait=N` it waits for the end."""
    seconds = wait_seconds(prefer)
    job = await ended(caller, job_id, request.app.state.changes, seconds)
    outlook = await run_in_threadpool(_outlook, job, request.app.state.pace)
    headers = {"ETag": etag(job, outlook), "Cache-Control": "private, no-cache"}
    if seconds:
        headers["Preference-Applied"] = f"wait={seconds}"
    if job.status not in TERMINAL and datetime.now(UTC) - job.created_at > YOUNG:
        headers["Retry-After"] = str(POLL_AFTER_SECONDS)
    if matches(if_none_match, headers["ETag"]):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return JSONResponse(job_document(job, object_store(), outlook).model_dump(mode="json"), headers=headers)


def _outlook(job: Job, pace: PaceKeeper) -> Outlook | None:
    if job.status is not JobStatus.QUEUED:
        return None
    with session_factory()() as session:
        return pace.outlook(session, job)


@router.get(
    "/{job_id}/events",
    dependencies=[needs(Scope.JOBS_READ)],
    response_class=StreamingResponse,
    responses={
        HTTPStatus.OK: {"content": {"text/event-stream": {}}, "description": "Server-sent events."},
        HTTPStatus.NO_CONTENT: {"description": "The job has ended, and you have its last event."},
        **responses(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE),
    },
)
async def follow_job(job_id: JobId, request: Request, caller: CallerOf, last_event_id: LastEventId = None) -> Response:
    """Each change of the job's stages as a server-sent event, from its beginning to its end.

    The last event, `job.succeeded`, `job.failed` or `job.canceled`, carries the job's document. With `Last-Event-ID`
    only what came after.
    """
    job = await run_in_threadpool(find, caller, job_id)
    after = int(last_event_id) if last_event_id and last_event_id.isdecimal() and len(last_event_id) < 10 else 0
    if job.status in TERMINAL and after and not events(job, after):
        # Browsers ask again after every end of a stream, until they are told that there is nothing to come.
        return Response(status_code=HTTPStatus.NO_CONTENT)
    return StreamingResponse(
        stream(request, caller, job, request.app.state.changes, after),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


def _redirect_to(artifact: Artifact) -> None:
    """Register the route of one kind of picture: by itself, so that other paths stay other methods'."""

    @router.get(
        f"/{{job_id}}/{artifact}",
        name=f"fetch_{artifact}",
        summary=f"Fetch the {artifact}",
        status_code=HTTPStatus.TEMPORARY_REDIRECT,
        response_class=RedirectResponse,
        dependencies=[needs(Scope.JOBS_READ)],
        responses={
            HTTPStatus.TEMPORARY_REDIRECT: documented("Location"),
            **responses(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE),
        },
    )
    def fetch(
        job_id: JobId,
        caller: CallerOf,
        instance: Annotated[int, Query(ge=0, description="Which instance, from 0.")] = 0,
    ) -> str:
        """Redirect to a presigned URL of the picture: mask and RGBA cut-out are PNGs, the overlay is a JPEG."""
        job = find(caller, job_id)
        if job.status not in TERMINAL:
            raise ArtifactNotFound(artifact, instance, f"the job is {job.status}")
        if instance >= len(job.instances):
            raise ArtifactNotFound(artifact, instance, f"the job found {len(job.instances)} instances")
        if artifact not in job.outputs:
            raise ArtifactNotFound(artifact, instance, "the job's `outputs` did not ask for it")
        return object_store().url(artifact_key(job_id, instance, artifact))


for one in Artifact:
    _redirect_to(one)
