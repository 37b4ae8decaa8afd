"""Slow servers of pictures: they hold some of a worker's threads, and never all of them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from db.errors import FetchUnavailable
from tests.mainmask.stack.programs import wait_for
from tests.worker.outgoing.server import Server, holding
from worker.fetcher import Fetcher
from worker.outgoing.busy import OutgoingBusy
from worker.outgoing.client import OutgoingClient
from worker.outgoing.rules import Rules


@pytest.fixture
def server() -> Iterator[Server]:
    """One that gives a picture, except at /slow."""
    with Server() as made:
        made.answers["/slow"] = holding()
        yield made


@pytest.fixture
def fetcher(server: Server) -> Fetcher:
    """Two fetches at once, one a tenant."""
    client = OutgoingClient(Rules.of([f"{server.host}:{server.port}"]))
    return Fetcher(client, maximum_bytes=1000, deadline_seconds=1, at_once=2)


def url(server: Server, path: str) -> str:
    """Of the server."""
    return f"http://{server.host}:{server.port}{path}"


def test_a_slow_url_keeps_its_tenant_from_fetching_more(fetcher: Fetcher, server: Server) -> None:
    """Another tenant fetches meanwhile; once the slow one is given up, the first may again."""
    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(fetcher, url(server, "/slow"), "hostile")
        wait_for(lambda: len(server.requests) == 1)
        with pytest.raises(OutgoingBusy):
            fetcher(url(server, "/"), "hostile")
        assert fetcher(url(server, "/"), "honest") == b"picture"
        with pytest.raises(FetchUnavailable):
            slow.result()
    assert fetcher(url(server, "/"), "hostile") == b"picture"


def test_slow_urls_of_many_tenants_leave_threads_to_other_stages(fetcher: Fetcher, server: Server) -> None:
    """What would be a fetch too many is told so at once, and waits for nothing."""
    patient = replace(fetcher, deadline_seconds=2)
    with ThreadPoolExecutor(2) as threads:
        slow = [threads.submit(patient, url(server, "/slow"), f"tenant {number}") for number in range(2)]
        wait_for(lambda: len(server.requests) == 2)
        with pytest.raises(OutgoingBusy):
            patient(url(server, "/"), "tenant 3")
        assert not any(fetch.done() for fetch in slow)
