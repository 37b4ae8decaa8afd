"""The two ways to wait for the network: with the thread, or with the event loop. All else of the client is in between.

The client's logic is written once, in coroutines that await nothing but a `Network`. One that blocks never suspends
them, so that the blocking client runs such a coroutine to its end by a single step (`finished`).
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from typing import Any, Protocol, TypeVar

import httpx
from httpx_sse import EventSource, ServerSentEvent

Result = TypeVar("Result")
Events = AsyncGenerator[ServerSentEvent, None]


class Network(Protocol):
    """HTTP and time. What goes wrong raises httpx's errors."""

    build: Callable[..., httpx.Request]
    """Takes a method, a path, and what else `httpx.Client.build_request` does."""

    async def send(self, request: httpx.Request, *, follow_redirects: bool = False) -> httpx.Response:
        """The answer, read to its end."""

    def events(self, request: httpx.Request) -> AbstractAsyncContextManager[Events]:
        """The answer's server-sent events as they come, until the block ends; an error if it is no stream of them."""

    async def sleep(self, seconds: float) -> None:
        """Let so much time pass."""

    async def close(self) -> None:
        """Close the connections."""


class BlockingNetwork:
    """Waits with the thread."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        self.build: Callable[..., httpx.Request] = http.build_request

    async def send(self, request: httpx.Request, *, follow_redirects: bool = False) -> httpx.Response:
        return self._http.send(request, follow_redirects=follow_redirects)

    @asynccontextmanager
    async def events(self, request: httpx.Request) -> AsyncGenerator[Events, None]:
        response = self._http.send(request, stream=True)
        try:
            async with aclosing(_each(_source(response))) as events:
                yield events
        finally:
            response.close()

    async def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    async def close(self) -> None:
        self._http.close()


class AsyncioNetwork:
    """Waits with asyncio's event loop."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self.build: Callable[..., httpx.Request] = http.build_request

    async def send(self, request: httpx.Request, *, follow_redirects: bool = False) -> httpx.Response:
        return await self._http.send(request, follow_redirects=follow_redirects)

    @asynccontextmanager
    async def events(self, request: httpx.Request) -> AsyncGenerator[Events, None]:
        response = await self._http.send(request, stream=True)
        try:
            async with aclosing(_source(response).aiter_sse()) as events:
                yield events
        finally:
            await response.aclose()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def close(self) -> None:
        await self._http.aclose()


def _source(response: httpx.Response) -> EventSource:
    response.raise_for_status()
    if response.headers.get("content-type", "").partition(";")[0].strip() != "text/event-stream":
        raise httpx.DecodingError("no stream of events", request=response.request)
    return EventSource(response)


async def _each(source: EventSource) -> Events:
    for event in source.iter_sse():
        yield event


def finished(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine that awaits nothing but a `BlockingNetwork`, and return its result."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: Result = stop.value
        return result
    coroutine.close()
    raise RuntimeError("the coroutine has waited for something that does not block")
