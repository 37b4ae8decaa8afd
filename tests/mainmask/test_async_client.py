"""The client for asyncio: its methods are those of `Client`, awaited."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from mainmask import AsyncClient, Client, JobNotFound, ServiceUnreachable
from mainmask.network import finished
from tests.mainmask.fake_service import JOB_ID, FakeService, problem

RENAMED = {"__aenter__": "__enter__", "__aexit__": "__exit__"}


def public(client: type[Any]) -> dict[str, inspect.Signature]:
    """Its methods' signatures, with what httpx calls its transports left aside."""
    methods = inspect.getmembers(client, inspect.isfunction)
    found = {
        RENAMED.get(name, name): inspect.signature(method) for name, method in methods if not name.startswith("_c")
    }
    found.pop("__init__")
    return found


def test_both_clients_take_and_return_the_same() -> None:
    """Each method of one is the other's, with its parameters; iterators are asynchronous ones."""
    blocking, asynchronous = public(Client), public(AsyncClient)
    assert blocking.keys() == asynchronous.keys()
    for name, signature in blocking.items():
        other = asynchronous[name]
        assert signature.parameters == other.parameters, name
        if getattr(signature.return_annotation, "__origin__", None) is Iterator:
            continue
        assert signature.return_annotation == other.return_annotation, name
    assert asynchronous["jobs"].return_annotation.__origin__ is AsyncIterator


def test_it_submits_waits_and_downloads() -> None:
    """Several at once, each its own."""
    service = FakeService()

    async def work() -> list[bytes]:
        async with AsyncClient("http://service", transport=httpx.MockTransport(service)) as client:
            jobs = await asyncio.gather(*(client.segment(b"image bytes", "a man") for _ in range(5)))
            return [await client.download(job, "mask") for job in jobs]

    assert asyncio.run(work()) == [b"/storage/mask/0"] * 5


def test_its_errors_are_the_same() -> None:
    """Of the service, and of the network."""

    async def get(service: FakeService) -> None:
        async with AsyncClient("http://service", transport=httpx.MockTransport(service)) as client:
            await client.get(JOB_ID)

    with pytest.raises(JobNotFound):
        asyncio.run(get(FakeService(problem(404, "job-not-found", "There is no such job."))))
    broken = httpx.ConnectError("refused", request=httpx.Request("GET", "http://service"))
    with pytest.raises(ServiceUnreachable):
        asyncio.run(get(FakeService(broken)))


def test_only_what_blocks_is_run_in_one_step() -> None:
    """A coroutine that waits for an event loop is refused, not lost."""
    with pytest.raises(RuntimeError, match="does not block"):
        finished(asyncio.sleep(0))
