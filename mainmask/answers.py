"""The service's answers, read; its problem documents become the client's own errors."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import httpx

from mainmask.errors import (
    JobNotFound,
    KeyRefused,
    MainmaskError,
    QuotaExceeded,
    RequestRejected,
    ServiceBusy,
    ServiceFailed,
    ServiceUnreachable,
    UnexpectedAnswer,
)
from mainmask.jobs import Job

UNAVAILABLE = frozenset({httpx.codes.BAD_GATEWAY, httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.GATEWAY_TIMEOUT})
EXCERPT_CHARACTERS = 200
MODEL_FIELDS = frozenset(
    {
        "name",
        "stage",
        "license",
        "commercial_use",
        "parameters",
        "input_pixels",
        "sha256",
        "default",
        "lent",
        "ready",
        "revision",
    }
)
"""What the command line shows of a model."""

Item = TypeVar("Item")


def job_in(response: httpx.Response) -> Job:
    """The job of the answer.

    Raises:
        UnexpectedAnswer: it holds none.
    """
    try:
        return Job.from_document(response.json())
    except (KeyError, TypeError, ValueError) as error:
        raise UnexpectedAnswer(str(response.url), f"no job document ({_excerpt(response)})") from error


def page_in(
    response: httpx.Response, what: str, read: Callable[[Mapping[str, Any]], Item]
) -> tuple[list[Item], str | None]:
    """The items of a page, and what to ask for the next one with; None after the last.

    Raises:
        UnexpectedAnswer: it is no page of them.
    """
    try:
        page = response.json()
        return [read(document) for document in page[what]], page["next"]
    except (KeyError, TypeError, ValueError) as error:
        raise UnexpectedAnswer(str(response.url), f"no page of {what} ({_excerpt(response)})") from error


def models_in(response: httpx.Response) -> Mapping[str, Any]:
    """The table of models.

    Raises:
        UnexpectedAnswer: it is none.
    """
    try:
        table: dict[str, Any] = response.json()
        if not all(model.keys() >= MODEL_FIELDS for model in table["models"]):
            raise KeyError(*MODEL_FIELDS)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UnexpectedAnswer(str(response.url), f"no table of models ({_excerpt(response)})") from error
    return table


def error_in(response: httpx.Response, job_id: str) -> MainmaskError:
    """What an answer that is no success means; `job_id` is the one that was asked for."""
    problem = _problem(response)
    if response.status_code in UNAVAILABLE:
        kind = ServiceBusy if _is(problem, "queue-full") else ServiceUnreachable
        reason = str(problem.get("detail") or f"it answers {response.status_code} {response.reason_phrase}")
        return kind(_origin(response.url), reason, retry_after_seconds(response))
    if not problem or response.is_server_error:
        wrong = ServiceFailed if problem else UnexpectedAnswer
        return wrong(str(response.url), f"{response.status_code} {_excerpt(response)}")
    if _is(problem, "job-not-found"):
        return JobNotFound(job_id)
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
        return QuotaExceeded(problem, retry_after_seconds(response))
    if response.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        return KeyRefused(problem)
    return RequestRejected(problem)


def unreachable(error: httpx.TransportError) -> ServiceUnreachable:
    """What a broken connection means."""
    # The address of the request that failed: a redirect may have led elsewhere.
    return ServiceUnreachable(_origin(error.request.url), _without_number(error) or type(error).__name__)


def retry_after_seconds(response: httpx.Response) -> float:
    """The header in seconds; its other form, a date, is none that our service sends."""
    try:
        return max(0.0, float(response.headers.get("retry-after", "0")))
    except ValueError:
        return 0.0


def _is(problem: Mapping[str, Any], code: str) -> bool:
    return str(problem.get("type", "")).endswith(f"/{code}")


def _problem(response: httpx.Response) -> dict[str, Any]:
    """The problem document (RFC 9457), or nothing if the answer holds none."""
    if response.headers.get("content-type", "").partition(";")[0].strip() != "application/problem+json":
        return {}
    try:
        return dict(response.json())
    except (TypeError, ValueError):
        return {}


def _origin(url: httpx.URL) -> str:
    return str(url.copy_with(path="/", query=None)).rstrip("/")


def _without_number(error: Exception) -> str:
    """The system's errors begin with a number, which says nothing to people."""
    text = str(error)
    return text.partition("] ")[2] if text.startswith("[Errno ") else text


def _excerpt(response: httpx.Response) -> str:
    """The start of an answer's text on one line; not the rest of it, which may be a whole web page."""
    return " ".join(response.text[:EXCERPT_CHARACTERS].split())
