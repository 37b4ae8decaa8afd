"""Submit many jobs in one call, and ask for them together."""

from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from api.acceptance import Accepted
from api.admission import ADMISSION
from api.batches import BatchSubmission, accept_batch
from api.callers import Caller, CallerOf
from api.entity_tags import IfNoneMatch, matches, tag_of
from api.errors import UnsupportedMediaType
from api.guards import needs
from api.idempotency import IdempotencyKey
from api.ids import BatchId
from api.problems import SUBMISSION_ERRORS, responses
from api.response_headers import documented
from api.submissions import parse_json
from db import batches
from db.api_keys import Scope
from db.documents import BatchDocument, batch_document
from db.session import session_factory

router = APIRouter(prefix="/v1/batches", tags=["batches"])

POLL_AFTER_SECONDS = 2

REQUEST_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": BatchSubmission.model_json_schema()}},
    }
}


@router.post(
    "",
    status_code=HTTPStatus.ACCEPTED,
    dependencies=[needs(Scope.JOBS_WRITE), ADMISSION],
    response_model=BatchDocument,
    openapi_extra=REQUEST_BODY,
    responses={
        HTTPStatus.ACCEPTED: documented("Location", "Idempotent-Replayed"),
        **responses(*SUBMISSION_ERRORS),
    },
)
async def submit_batch(request: Request, caller: CallerOf, idempotency_key: IdempotencyKey = None) -> Response:
    """Submit up to some hundred jobs: all are accepted, or none, and errors say which one they are about."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        raise UnsupportedMediaType(content_type)
    # All of it off the event loop: parsing thirty megabytes takes a while.
    accepted = await run_in_threadpool(_accept, caller, await request.body(), idempotency_key)
    return accepted.response()


def _accept(caller: Caller, body: bytes, key: str | None) -> Accepted:
    return accept_batch(caller, parse_json(body, "the body"), key)


@router.get(
    "/{batch_id}",
    dependencies=[needs(Scope.JOBS_READ)],
    response_model=BatchDocument,
    responses={
        HTTPStatus.OK: documented("ETag", "Retry-After"),
        HTTPStatus.NOT_MODIFIED: {
            "description": "The batch is as the `ETag` in `If-None-Match` says.",
            **documented("ETag", "Retry-After"),
        },
        **responses(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY),
    },
)
def get_batch(batch_id: BatchId, caller: CallerOf, if_none_match: IfNoneMatch = None) -> Response:
    """How far the batch's jobs are."""
    with session_factory()() as session:
        batch = batches.find(session, caller.tenant, batch_id)
        document = batch_document(batch, batches.counts(session, batch_id))
    headers = {"ETag": tag_of(document), "Cache-Control": "private, no-cache"}
    if document.finished_at is None:
        headers["Retry-After"] = str(POLL_AFTER_SECONDS)
    if matches(if_none_match, headers["ETag"]):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return JSONResponse(document.model_dump(mode="json"), headers=headers)
