"""RFC 9457 problem documents: the one table that maps errors to statuses."""

import logging
import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from api import request_ids
from api.errors import (
    BatchTooLarge,
    BodyTooLarge,
    LengthRequired,
    MalformedBody,
    QueueFull,
    QuotaExceeded,
    ScopeMissing,
    Unauthenticated,
    UnsupportedMediaType,
)
from api.response_headers import documented
from db.errors import (
    ArtifactNotFound,
    BatchNotFound,
    DeliveryNotFound,
    IdempotencyKeyReused,
    ImageOutOfShape,
    ImageTooLarge,
    InvalidImage,
    JobHasEnded,
    JobNotFailed,
    JobNotFound,
    KeyNotFound,
    MainmaskError,
    StorageUnavailable,
    TenantTaken,
    UploadNotFound,
)
from db.session import OUTAGES

logger = logging.getLogger(__name__)

TYPE_BASE = "https://mainmask.dev/problems/"
RETRY_AFTER_SECONDS = 5
MOST_ERRORS = 20
"""Of one request are told."""

STATUSES: dict[type[MainmaskError], HTTPStatus] = {
    ArtifactNotFound: HTTPStatus.NOT_FOUND,
    BatchNotFound: HTTPStatus.NOT_FOUND,
    BatchTooLarge: HTTPStatus.UNPROCESSABLE_ENTITY,
    BodyTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    DeliveryNotFound: HTTPStatus.NOT_FOUND,
    IdempotencyKeyReused: HTTPStatus.UNPROCESSABLE_ENTITY,
    ImageOutOfShape: HTTPStatus.UNPROCESSABLE_ENTITY,
    ImageTooLarge: HTTPStatus.UNPROCESSABLE_ENTITY,
    InvalidImage: HTTPStatus.UNPROCESSABLE_ENTITY,
    JobHasEnded: HTTPStatus.CONFLICT,
    JobNotFailed: HTTPStatus.CONFLICT,
    JobNotFound: HTTPStatus.NOT_FOUND,
    KeyNotFound: HTTPStatus.NOT_FOUND,
    LengthRequired: HTTPStatus.LENGTH_REQUIRED,
    MalformedBody: HTTPStatus.BAD_REQUEST,
    QueueFull: HTTPStatus.SERVICE_UNAVAILABLE,
    QuotaExceeded: HTTPStatus.TOO_MANY_REQUESTS,
    ScopeMissing: HTTPStatus.FORBIDDEN,
    StorageUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    TenantTaken: HTTPStatus.CONFLICT,
    Unauthenticated: HTTPStatus.UNAUTHORIZED,
    UnsupportedMediaType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    UploadNotFound: HTTPStatus.NOT_FOUND,
}


GUARDED = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
"""What every route can answer that asks for a key."""

SUBMISSION_ERRORS = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.LENGTH_REQUIRED,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
"""What a route can answer that takes pictures."""


class FieldError(BaseModel):
    """One field of the request that isn't right."""

    field: str = Field(description="Where it is in the request, with dots.", examples=["body.labels"])
    message: str = Field(description="For people.", examples=["at most 100 labels are taken"])


class Problem(BaseModel):
    """An RFC 9457 problem document."""

    type: str = Field(
        description="A stable URI for the cause; docs/errors.md lists all.", examples=[f"{TYPE_BASE}invalid-request"]
    )
    title: str = Field(description="The status in words.", examples=["Unprocessable Entity"])
    status: int = Field(description="The HTTP status.", examples=[422])
    detail: str = Field(description="What is wrong this time, for people.", examples=["body.labels: too many"])
    errors: list[FieldError] | None = Field(None, description="Of an invalid request: which fields, at most twenty.")


def problem_response(
    status: HTTPStatus,
    code: str,
    detail: str,
    *,
    errors: list[FieldError] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """The answer for one error."""
    problem = Problem(type=TYPE_BASE + code, title=status.phrase, status=status, detail=detail, errors=errors)
    return JSONResponse(
        problem.model_dump(exclude_none=True),
        status,
        headers=headers,
        media_type="application/problem+json",
    )


ERROR_HEADERS = {
    HTTPStatus.SERVICE_UNAVAILABLE: "Retry-After",
    HTTPStatus.TOO_MANY_REQUESTS: "Retry-After",
    HTTPStatus.UNAUTHORIZED: "WWW-Authenticate",
}


def responses(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """What a route declares in the OpenAPI document for these errors."""
    return {int(status): _response(status) for status in statuses}


def _response(status: HTTPStatus) -> dict[str, Any]:
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    found = {"model": Problem, "description": status.phrase, "content": {"application/problem+json": schema}}
    return found | documented(ERROR_HEADERS[status]) if status in ERROR_HEADERS else found


def install(app: FastAPI) -> None:
    """Answer every error of the application with a problem document."""
    app.add_exception_handler(MainmaskError, _on_known)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(HTTPException, _on_http)
    for outage in OUTAGES:
        app.add_exception_handler(outage, _on_database)
    app.add_exception_handler(Exception, _on_unexpected)


def _on_known(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, MainmaskError)  # noqa: S101 - what it is registered for
    status = STATUSES.get(type(error), HTTPStatus.INTERNAL_SERVER_ERROR)
    return problem_response(status, error.code, str(error), headers=_headers(error, status))


def _on_validation(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - what it is registered for
    found_errors = error.errors()
    fields = [
        FieldError(
            field=".".join(str(part) for part in found["loc"]) or "body",
            message=found["msg"].removeprefix("Value error, "),
        )
        for found in found_errors[:MOST_ERRORS]
    ]
    detail = "; ".join(f"{field.field}: {field.message}" for field in fields)
    if len(found_errors) > MOST_ERRORS:
        detail += f"; and {len(found_errors) - MOST_ERRORS} more"
    return problem_response(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", detail, errors=fields)


def _on_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - what it is registered for
    status = HTTPStatus(error.status_code)
    code = status.phrase.lower().replace(" ", "-")
    headers = {"Allow": _allowed(request)} if status is HTTPStatus.METHOD_NOT_ALLOWED else error.headers
    return problem_response(status, code, str(error.detail), headers=headers)


def _allowed(request: Request) -> str:
    """The methods of all routes of this path; Starlette names those of the first alone."""
    methods: set[str] = set()
    for route in request.app.routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            methods |= route.methods or set()
    return ", ".join(sorted(methods))


def _on_database(_: Request, error: Exception) -> JSONResponse:
    logger.warning("the database is unavailable: %s", error)
    status = HTTPStatus.SERVICE_UNAVAILABLE
    return problem_response(
        status, "database-unavailable", "The database is unavailable.", headers=_retry_after(status)
    )


def _on_unexpected(request: Request, error: Exception) -> JSONResponse:
    # The server logs the traceback after this answer; the caller is told nothing of the inside.
    del error
    request_id = request.state.request_id
    # This answer is Starlette's outermost: no middleware sees it.
    return problem_response(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "internal",
        f"The server met an unexpected error; its log has it under the request's id, {request_id}.",
        headers={request_ids.HEADER: request_id},
    )


def _headers(error: MainmaskError, status: HTTPStatus) -> dict[str, str] | None:
    if isinstance(error, QuotaExceeded):
        return {"Retry-After": str(math.ceil(error.retry_after_seconds))}
    if isinstance(error, Unauthenticated):
        return {"WWW-Authenticate": "Bearer"}
    return _retry_after(status)


def _retry_after(status: HTTPStatus) -> dict[str, str] | None:
    return {"Retry-After": str(RETRY_AFTER_SECONDS)} if status is HTTPStatus.SERVICE_UNAVAILABLE else None
