"""The Python client for asyncio: `mainmask.client`, awaited."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Self, TypeVar, Unpack

import httpx

from mainmask.address import Address
from mainmask.calls import Calls, Image, Page
from mainmask.jobs import Job
from mainmask.keys import CreatedKey, Key
from mainmask.network import AsyncioNetwork
from mainmask.options import Artifact, KeyOptions, SubmitOptions
from mainmask.retries import Retries
from mainmask.transport import Transport

Item = TypeVar("Item")


class AsyncClient:
    """A connection to a service, for any number of tasks of one event loop; close it, or use `async with`.

    Takes and raises what `Client` does, where each method is described.

    >>> import asyncio
    >>> from mainmask import AsyncClient
    >>> async def labels(*photos):
    ...     async with AsyncClient() as client:
    ...         jobs = await asyncio.gather(*(client.segment(photo, "a cat on a sofa") for photo in photos))
    ...     return [job.result.main_object.label for job in jobs]
    >>> asyncio.run(labels("photo.jpg", "other.jpg"))
    ['cat', 'cat']
    """

    def __init__(
        self,
        base_url: str | None = None,
        *,
        api_key: str | None = None,
        retries: Retries | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """As of `Client`."""
        address = Address.chosen(base_url, api_key)
        # Each job that is waited for holds a connection: whoever has many tasks means it.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
        network = AsyncioNetwork(httpx.AsyncClient(transport=transport, limits=limits, **address.http_options))
        self._calls = Calls(Transport(network, address), retries or Retries())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._calls.close()

    async def submit(
        self,
        image: Image | None = None,
        description: str | None = None,
        *,
        idempotency_key: str | None = None,
        **options: Unpack[SubmitOptions],
    ) -> Job:
        """Hand a job in, and return it as it was accepted."""
        return await self._calls.submit(image, description, idempotency_key, options)

    async def get(self, job: Job | str) -> Job:
        """The job as it is now."""
        return await self._calls.get(job)

    async def wait(
        self,
        job: Job | str,
        *,
        timeout_seconds: float = 300.0,
        on_change: Callable[[Job], None] | None = None,
    ) -> Job:
        """Return the job once it has succeeded; `on_change` is an ordinary function."""
        return await self._calls.wait(job, timeout_seconds, on_change)

    async def segment(
        self,
        image: Image | None = None,
        description: str | None = None,
        *,
        timeout_seconds: float = 300.0,
        on_change: Callable[[Job], None] | None = None,
        **options: Unpack[SubmitOptions],
    ) -> Job:
        """Submit a job and wait for its result."""
        job = await self.submit(image, description, **options)
        return await self.wait(job, timeout_seconds=timeout_seconds, on_change=on_change)

    async def jobs(self, status: str | None = None) -> AsyncIterator[Job]:
        """All the caller's jobs, the newest first: `async for job in client.jobs()`."""
        async for job in _each(lambda before: self._calls.jobs(status, before)):
            yield job

    async def cancel(self, job: Job | str) -> Job:
        """End a job that has not ended."""
        return await self._calls.cancel(job)

    async def retry(self, job: Job | str) -> Job:
        """Start a failed job again at the stage that failed."""
        return await self._calls.retry(job)

    async def delete(self, job: Job | str) -> None:
        """Remove a job with its image and masks."""
        await self._calls.delete(job)

    async def download(self, job: Job | str, artifact: Artifact, instance: int = 0) -> bytes:
        """A picture of one instance."""
        return await self._calls.download(job, artifact, instance)

    async def models(self) -> Mapping[str, Any]:
        """The service's table of models: `GET /v1/models`, as it answers."""
        return await self._calls.models()

    async def create_key(self, name: str, **options: Unpack[KeyOptions]) -> CreatedKey:
        """Make a key, which needs one of the scope `admin`."""
        return await self._calls.create_key(name, options)

    async def keys(self) -> AsyncIterator[Key]:
        """All tenants' keys, the newest first."""
        async for key in _each(self._calls.keys):
            yield key

    async def revoke_key(self, key: Key | str) -> None:
        """End a key, within seconds."""
        await self._calls.revoke_key(key)


async def _each(page: Callable[[str | None], Awaitable[Page[Item]]]) -> AsyncIterator[Item]:
    """All that is on the pages."""
    before: str | None = None
    while True:
        items, before = await page(before)
        for item in items:
            yield item
        if before is None:
            return
