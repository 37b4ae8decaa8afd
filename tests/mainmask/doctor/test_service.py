"""What the doctor says of a service."""

import time
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any

import httpx
import pytest

import mainmask
from mainmask.address import Address
from mainmask.doctor import service
from mainmask.doctor.finding import Finding, Health
from tests.mainmask.fake_service import FakeService, problem, serving

ALL_WELL = {"database": True, "redis": True, "storage": True}


class Examined(FakeService):
    """Answers what the doctor asks, well unless told otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.checks: dict[str, Any] = dict(ALL_WELL)
        self.version: str | None = mainmask.__version__
        self.skew_seconds = 0.0
        self.jobs = httpx.Response(200, json={"jobs": [], "next": None})

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.url.path == "/readyz":
            return httpx.Response(200, json={"checks": self.checks})
        if request.url.path == "/openapi.json":
            return httpx.Response(200, json={"info": {"version": self.version}})
        if request.url.path == "/v1/jobs":
            return self.jobs
        return httpx.Response(200, json={"status": "ok"}, headers={"date": formatdate(time.time() - self.skew_seconds)})


@pytest.fixture
def examined() -> Examined:
    """A service in good health."""
    return Examined()


@pytest.fixture
def url(examined: Examined) -> Iterator[str]:
    """Its address."""
    with serving(examined) as address:
        yield address


def findings(url: str, api_key: str | None = None) -> dict[str, Finding]:
    """What is found, by name."""
    return {finding.name: finding for finding in service.check(Address.chosen(url, api_key))}


def ill(url: str, **options: Any) -> dict[str, tuple[Health, str]]:
    """What is not well, and how."""
    return {
        name: (finding.health, finding.says)
        for name, finding in findings(url, **options).items()
        if finding.health is not Health.OK
    }


def test_all_is_well(url: str) -> None:
    """A line each for the service, its servers, the key, the versions and the clock."""
    found = findings(url)
    assert ill(url) == {}
    servers = {"service: Postgres", "service: Redis", "service: the object storage"}
    assert found.keys() == {"service", "key", "versions", "clock", *servers}


def test_nobody_there() -> None:
    """One line, which says what to do."""
    (finding,) = findings("http://127.0.0.1:9").values()
    assert finding.health is Health.FAIL
    assert "mainmask up" in finding.remedy


@pytest.mark.parametrize(
    ("server", "name", "health"),
    [
        ("database", "service: Postgres", Health.FAIL),
        ("storage", "service: the object storage", Health.FAIL),
        ("redis", "service: Redis", Health.WARN),
    ],
)
def test_a_server_behind_it_is_away(examined: Examined, url: str, server: str, name: str, health: Health) -> None:
    """Without Postgres or the storage nothing works; without Redis jobs wait."""
    examined.checks[server] = False
    assert {found: how for found, (how, _) in ill(url).items()} == {name: health}


@pytest.mark.parametrize(
    ("status", "key", "expected"),
    [
        (401, None, (Health.FAIL, "none is given")),
        (401, "mm_1_2", (Health.FAIL, "is not valid")),
        (403, "mm_1_2", (Health.WARN, "may not read jobs")),
        (429, "mm_1_2", (Health.WARN, "has used up")),
        (500, None, (Health.FAIL, "answers 500")),
    ],
)
def test_the_key(examined: Examined, url: str, status: int, key: str | None, expected: tuple[Health, str]) -> None:
    """What a key would meet is told, and the key isn't."""
    examined.jobs = problem(status, "some", "Some.")
    found = findings(url, key)["key"]
    assert found.health is expected[0]
    assert expected[1] in found.says
    assert "mm_1_2" not in found.says


def test_another_version(examined: Examined, url: str) -> None:
    """Both are named, and how to get the service's."""
    examined.version = "99.1"
    found = findings(url)["versions"]
    assert (found.health, found.remedy) == (Health.WARN, "pip install mainmask==99.1")
    assert mainmask.__version__ in found.says


@pytest.mark.parametrize(("seconds", "says"), [(300.0, "s ahead of the service's"), (-300.0, "s behind the service's")])
def test_another_time(examined: Examined, url: str, seconds: float, says: str) -> None:
    """More than a minute apart, signatures and presigned URLs begin to fail."""
    examined.skew_seconds = seconds
    (found,) = ill(url).values()
    assert found[0] is Health.FAIL
    assert says in found[1]


def test_something_else_answers() -> None:
    """Another program's web server is told from a service."""

    class Other(FakeService):
        def __call__(self, request: httpx.Request) -> httpx.Response:
            return httpx.Response(404, text="<html>")

    with serving(Other()) as url:
        assert ill(url) == {"service": (Health.FAIL, f"{url} answers 404: that is something else")}
