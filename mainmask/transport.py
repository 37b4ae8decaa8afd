"""Requests to the service; here httpx's errors and the service's problem documents become the client's own errors."""

import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

import httpx

from mainmask.errors import (
    BadApiKey,
    BadServiceUrl,
    JobNotFound,
    KeyRefused,
    QuotaExceeded,
    RequestRejected,
    ServiceBusy,
    ServiceUnreachable,
    UnexpectedAnswer,
)
from mainmask.jobs import Job
from mainmask.keys import CreatedKey, Key

TIMEOUT = httpx.Timeout(30.0, connect=5.0)
UNAVAILABLE = frozenset({httpx.codes.BAD_GATEWAY, httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.GATEWAY_TIMEOUT})
EXCERPT_CHARACTERS = 200
PAGE = 100
MODEL_FIELDS = frozenset({"name", "stage", "license", "commercial_use", "parameters", "default", "lent", "ready"})
"""What the command line shows of a model."""
JSON_TEXTS = ("metadata", "models")
"""Fields that are JSON texts in a form."""
KEY = re.compile(r"[!-~]+")
"""What a header can hold. The service knows what its keys look like."""
ERRNO = re.compile(r"^\[Errno -?\d+\] ")
"""What the system's errors begin with, which says nothing to people."""

Item = TypeVar("Item")


class Transport:
    """One method for each request that the client makes."""

    def __init__(self, base_url: str, api_key: str | None = None, transport: httpx.BaseTransport | None = None) -> None:
        self._base_url = _checked(base_url)
        self._headers = _authorization(api_key)
        self._http = httpx.Client(
            base_url=self._base_url,
            timeout=TIMEOUT,
            transport=transport,
            # A proxy of the environment's cannot lead to this very machine.
            trust_env=not _is_loopback(self._base_url.host),
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def submit(self, image: bytes | None, fields: Mapping[str, Any], idempotency_key: str | None) -> Job:
        """POST /v1/jobs: a form with the image, or JSON without one."""
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        if image is None:
            return _job(self._request("POST", "/v1/jobs", json=dict(fields), headers=headers))
        form = {name: json.dumps(value) if name in JSON_TEXTS else value for name, value in fields.items()}
        return _job(self._request("POST", "/v1/jobs", files={"image": ("image", image)}, data=form, headers=headers))

    def job(self, job_id: str) -> tuple[Job, float]:
        """GET /v1/jobs/{id}: the job, and for how many seconds the service asks not to be asked again."""
        response = self._request("GET", _path(job_id), job_id=job_id)
        return _job(response), _retry_after_seconds(response)

    def jobs(self, status: str | None, before: str | None) -> tuple[list[Job], str | None]:
        """GET /v1/jobs: a page, and what to ask for the next one with; None after the last."""
        return self._page("jobs", Job.from_document, status=status, before=before)

    def change(self, job_id: str, what: str) -> Job:
        """POST /v1/jobs/{id}/cancel or /retry."""
        return _job(self._request("POST", f"{_path(job_id)}/{what}", job_id=job_id))

    def delete(self, job_id: str) -> None:
        """DELETE /v1/jobs/{id}."""
        self._request("DELETE", _path(job_id), job_id=job_id)

    def artifact(self, job_id: str, name: str, instance: int) -> bytes:
        """GET /v1/jobs/{id}/{name}, wherever it leads."""
        return self._request("GET", f"{_path(job_id)}/{name}", job_id=job_id, params={"instance": instance}).content

    def models(self) -> Mapping[str, Any]:
        """GET /v1/models."""
        response = self._request("GET", "/v1/models")
        try:
            table: dict[str, Any] = response.json()
            if not all(model.keys() >= MODEL_FIELDS for model in table["models"]):
                raise KeyError(*MODEL_FIELDS)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise UnexpectedAnswer(str(response.url), f"no table of models ({_excerpt(response)})") from error
        return table

    def create_key(self, fields: Mapping[str, Any]) -> CreatedKey:
        """POST /v1/keys."""
        response = self._request("POST", "/v1/keys", json=fields)
        try:
            return CreatedKey.from_document(response.json())
        except (KeyError, TypeError, ValueError) as error:
            # Without an excerpt: it may hold the key.
            raise UnexpectedAnswer(str(response.url), "no key document") from error

    def keys(self, before: str | None) -> tuple[list[Key], str | None]:
        """GET /v1/keys: a page, and what to ask for the next one with; None after the last."""
        return self._page("keys", Key.from_document, before=before)

    def revoke_key(self, key_id: str) -> None:
        """DELETE /v1/keys/{id}."""
        self._request("DELETE", f"/v1/keys/{quote(key_id, safe='')}")

    def _page(
        self, what: str, read: Callable[[Mapping[str, Any]], Item], **given: str | None
    ) -> tuple[list[Item], str | None]:
        params = {"limit": PAGE, **{name: value for name, value in given.items() if value}}
        response = self._request("GET", f"/v1/{what}", params=params)
        try:
            page = response.json()
            return [read(document) for document in page[what]], page["next"]
        except (KeyError, TypeError, ValueError) as error:
            raise UnexpectedAnswer(str(response.url), f"no page of {what} ({_excerpt(response)})") from error

    def _request(
        self, method: str, path: str, *, job_id: str = "", headers: Mapping[str, str] | None = None, **options: Any
    ) -> httpx.Response:
        try:
            response = self._http.request(method, path, headers={**self._headers, **(headers or {})}, **options)
            if response.next_request:
                response = self._follow(response.next_request)
        except httpx.TransportError as error:
            # Of the request that failed: a redirect may have led elsewhere.
            url = error.request.url.copy_with(path="/", query=None)
            reason = ERRNO.sub("", str(error)) or type(error).__name__
            raise ServiceUnreachable(str(url).rstrip("/"), reason) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UnexpectedAnswer(str(self._base_url), str(error)) from error
        if not response.is_success:
            raise _error(response, job_id)
        return response

    def _follow(self, request: httpx.Request) -> httpx.Response:
        """Artifacts lie in the object storage. The key is for the service alone; and S3 refuses two authentications."""
        request.headers.pop("Authorization", None)
        return self._http.send(request, follow_redirects=True)


def _authorization(api_key: str | None) -> dict[str, str]:
    key = (api_key or "").strip()
    if not key:
        return {}
    if not KEY.fullmatch(key):
        raise BadApiKey
    return {"Authorization": f"Bearer {key}"}


def _checked(url: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise BadServiceUrl(url) from error
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise BadServiceUrl(url)
    return parsed


def _path(job_id: str) -> str:
    return f"/v1/jobs/{quote(job_id, safe='')}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _job(response: httpx.Response) -> Job:
    try:
        return Job.from_document(response.json())
    except (KeyError, TypeError, ValueError) as error:
        raise UnexpectedAnswer(str(response.url), f"no job document ({_excerpt(response)})") from error


def _error(response: httpx.Response, job_id: str) -> Exception:
    problem = _problem(response)
    if response.status_code in UNAVAILABLE:
        kind = ServiceBusy if _is(problem, "queue-full") else ServiceUnreachable
        reason = str(problem.get("detail") or f"it answers {response.status_code} {response.reason_phrase}")
        return kind(_origin(response), reason, _retry_after_seconds(response))
    if not problem or response.is_server_error:
        return UnexpectedAnswer(str(response.url), f"{response.status_code} {_excerpt(response)}")
    if _is(problem, "job-not-found"):
        return JobNotFound(job_id)
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
        return QuotaExceeded(problem, _retry_after_seconds(response))
    if response.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        return KeyRefused(problem)
    return RequestRejected(problem)


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


def _retry_after_seconds(response: httpx.Response) -> float:
    """The header in seconds; its other form, a date, is none that our service sends."""
    try:
        return max(0.0, float(response.headers.get("retry-after", "0")))
    except ValueError:
        return 0.0


def _origin(response: httpx.Response) -> str:
    return str(response.url.copy_with(path="/", query=None)).rstrip("/")


def _excerpt(response: httpx.Response) -> str:
    """The start of an answer's text on one line; not the rest of it, which may be a whole web page."""
    return " ".join(response.text[:EXCERPT_CHARACTERS].split())
