"""One method for each request that the client makes; here httpx's errors become the client's own."""

import json
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import quote

import httpx

from mainmask.address import Address
from mainmask.answers import error_in, job_in, models_in, page_in, retry_after_seconds, unreachable
from mainmask.errors import UnexpectedAnswer
from mainmask.job_events import JobEvent
from mainmask.jobs import Job
from mainmask.keys import CreatedKey, Key
from mainmask.network import Events, Network

PAGE = 100
JSON_TEXTS = ("metadata", "models")
"""Fields that are JSON texts in a form."""


class Transport:
    """Requests to one service over one network."""

    def __init__(self, network: Network, address: Address) -> None:
        self._network = network
        self._address = address

    async def sleep(self, seconds: float) -> None:
        """Let so much time pass."""
        await self._network.sleep(seconds)

    async def close(self) -> None:
        """Close the connections."""
        await self._network.close()

    async def submit(self, image: bytes | None, fields: Mapping[str, Any], idempotency_key: str) -> Job:
        """POST /v1/jobs: a form with the image, or JSON without one."""
        headers = {"Idempotency-Key": idempotency_key}
        if image is None:
            return job_in(await self._request("POST", "/v1/jobs", json=dict(fields), headers=headers))
        form = {name: json.dumps(value) if name in JSON_TEXTS else value for name, value in fields.items()}
        files = {"image": ("image", image)}
        return job_in(await self._request("POST", "/v1/jobs", files=files, data=form, headers=headers))

    async def job(self, job_id: str) -> tuple[Job, float]:
        """GET /v1/jobs/{id}: the job, and for how many seconds the service asks not to be asked again."""
        response = await self._request("GET", _path(job_id), job_id=job_id)
        return job_in(response), retry_after_seconds(response)

    async def jobs(self, status: str | None, before: str | None) -> tuple[list[Job], str | None]:
        """GET /v1/jobs: a page, and what to ask for the next one with; None after the last."""
        return page_in(await self._page("jobs", status=status, before=before), "jobs", Job.from_document)

    async def change(self, job_id: str, what: str) -> Job:
        """POST /v1/jobs/{id}/cancel or /retry."""
        return job_in(await self._request("POST", f"{_path(job_id)}/{what}", job_id=job_id))

    async def delete(self, job_id: str) -> None:
        """DELETE /v1/jobs/{id}."""
        await self._request("DELETE", _path(job_id), job_id=job_id)

    async def artifact(self, job_id: str, name: str, instance: int) -> bytes:
        """GET /v1/jobs/{id}/{name}, wherever it leads."""
        path = f"{_path(job_id)}/{name}"
        return (await self._request("GET", path, job_id=job_id, params={"instance": instance})).content

    @asynccontextmanager
    async def events(
        self, job_id: str, after: str, silence_seconds: float
    ) -> AsyncGenerator[AsyncGenerator[JobEvent, None], None]:
        """GET /v1/jobs/{id}/events: what came after that event, and what comes, until nothing has come for so long."""
        path = f"{_path(job_id)}/events"
        with self._translated():
            headers = {**self._address.headers, "Accept": "text/event-stream"}
            if after:
                headers["Last-Event-ID"] = after
            request = self._network.build("GET", path, headers=headers, timeout=silence_seconds)
            async with self._network.events(request) as events:
                yield self._read(events, str(request.url))

    @staticmethod
    async def _read(events: Events, url: str) -> AsyncGenerator[JobEvent, None]:
        async for event in events:
            try:
                yield JobEvent.from_event(event)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise UnexpectedAnswer(url, f"no event of a job ({error})") from error

    async def models(self) -> Mapping[str, Any]:
        """GET /v1/models."""
        return models_in(await self._request("GET", "/v1/models"))

    async def create_key(self, fields: Mapping[str, Any]) -> CreatedKey:
        """POST /v1/keys."""
        response = await self._request("POST", "/v1/keys", json=fields)
        try:
            return CreatedKey.from_document(response.json())
        except (KeyError, TypeError, ValueError) as error:
            # Without an excerpt: it may hold the key.
            raise UnexpectedAnswer(str(response.url), "no key document") from error

    async def keys(self, before: str | None) -> tuple[list[Key], str | None]:
        """GET /v1/keys: a page, and what to ask for the next one with; None after the last."""
        return page_in(await self._page("keys", before=before), "keys", Key.from_document)

    async def revoke_key(self, key_id: str) -> None:
        """DELETE /v1/keys/{id}."""
        await self._request("DELETE", f"/v1/keys/{quote(key_id, safe='')}")

    async def _page(self, what: str, **given: str | None) -> httpx.Response:
        params = {"limit": PAGE, **{name: value for name, value in given.items() if value}}
        return await self._request("GET", f"/v1/{what}", params=params)

    async def _request(
        self, method: str, path: str, *, job_id: str = "", headers: Mapping[str, str] | None = None, **options: Any
    ) -> httpx.Response:
        with self._translated():
            headers = {**self._address.headers, **(headers or {})}
            response = await self._network.send(self._network.build(method, path, headers=headers, **options))
            if response.next_request:
                response = await self._follow(response.next_request)
        if not response.is_success:
            raise error_in(response, job_id)
        return response

    async def _follow(self, request: httpx.Request) -> httpx.Response:
        """Artifacts lie in the object storage. The key is for the service alone; and S3 refuses two authentications."""
        request.headers.pop("Authorization", None)
        return await self._network.send(request, follow_redirects=True)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except httpx.TransportError as error:
            raise unreachable(error) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UnexpectedAnswer(str(self._address.url), str(error)) from error


def _path(job_id: str) -> str:
    return f"/v1/jobs/{quote(job_id, safe='')}"
