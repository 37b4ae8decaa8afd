"""What the API serves to Prometheus."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy.exc import OperationalError

from api.app import create_app
from api.queue_gauges import QueueGauges, queue_gauges
from api.request_metrics import RequestMetrics
from db import load
from db.settings import settings
from tests.api.answers import is_problem
from tests.api.conftest import forget_settings
from tests.readings import Readings, moved
from tests.statements import listened_to

TOKEN = "what-prometheus-says"


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """The queue is measured anew in each test."""
    queue_gauges.cache_clear()
    yield
    queue_gauges.cache_clear()


def readings(client: TestClient) -> Readings:
    """What it says now."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    return Readings.of(answer.text)


def counted(client: TestClient, sent: str, path: str, **labels: str) -> float:
    """How many requests more this one is, under these labels."""
    more = moved(lambda: readings(client), lambda: client.request(sent, path))
    return more.value("mainmask_http_requests_total", **labels)


def test_it_is_no_part_of_the_described_api(client: TestClient) -> None:
    """It is for operators."""
    assert "/metrics" not in client.get("/openapi.json").json()["paths"]


@pytest.mark.parametrize(
    "accept", ["", "*/*", "text/plain;version=0.0.4", "application/openmetrics-text;version=1.0.0"]
)
def test_both_formats_are_spoken(client: TestClient, accept: str) -> None:
    """Prometheus asks for OpenMetrics; a browser gets text."""
    answer = client.get("/metrics", headers={"Accept": accept})
    assert answer.headers["content-type"].startswith("application/openmetrics" if "open" in accept else "text/plain")
    assert answer.text.endswith("# EOF\n") == ("open" in accept)
    assert "mainmask_build_info" in answer.text
    assert "mainmask_oldest_job_age_seconds" in answer.text


def test_requests_are_counted_by_the_routes_template(client: TestClient) -> None:
    """An id in the path makes no series of its own, and neither does a path that there isn't."""
    route = "/v1/jobs/{job_id}"
    path = "/v1/jobs/01890000-0000-7000-8000-000000000000"
    assert counted(client, "GET", path, method="GET", route=route, status="404") == 1
    assert counted(client, "GET", f"{path}/events", method="GET", route=f"{route}/events", status="404") == 1
    assert counted(client, "GET", "/no/such/thing", method="GET", route="none", status="404") == 1
    assert counted(client, "BREW", "/healthz", method="other", route="/healthz", status="405") == 1
    assert counted(client, "GET", "/docs/static/no", method="GET", route="none", status="404") == 1
    text = client.get("/metrics").text
    assert "no/such/thing" not in text
    assert "01890000" not in text
    assert "BREW" not in text


def test_what_the_outer_layers_refuse_is_counted(client: TestClient) -> None:
    """A body that is too large meets no route."""
    size = {"Content-Length": str(settings().maximum_image_bytes * 2)}

    def act() -> None:
        assert client.post("/v1/jobs", headers=size).status_code == 413

    more = moved(lambda: readings(client), act)
    assert more.value("mainmask_http_requests_total", method="POST", route="none", status="413") == 1


def test_an_unexpected_error_is_counted_as_500() -> None:
    """Also where nothing was answered yet."""
    app = FastAPI()
    app.add_middleware(RequestMetrics)

    @app.get("/broken")
    def broken() -> None:
        raise RuntimeError

    def act() -> None:
        assert TestClient(app, raise_server_exceptions=False).get("/broken").status_code == 500

    with TestClient(create_app()) as client:
        more = moved(lambda: readings(client), act)
    assert more.value("mainmask_http_requests_total", method="GET", route="/broken", status="500") == 1


def test_the_token_opens_them(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else does, once there is one; an empty one is none."""
    monkeypatch.setenv("MAINMASK_METRICS_TOKEN", TOKEN)
    forget_settings()
    try:
        for wrong in (b"", b"Bearer no", TOKEN.encode(), b"Bearer \xe9"):
            answer = client.get("/metrics", headers={b"Authorization": wrong})
            assert is_problem(answer, 401, "unauthenticated")
            assert answer.headers["www-authenticate"] == "Bearer"
        assert client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
        monkeypatch.setenv("MAINMASK_METRICS_TOKEN", "")
        forget_settings()
        assert client.get("/metrics").status_code == 200
    finally:
        monkeypatch.undo()
        forget_settings()


def test_without_postgres_the_other_metrics_are_there(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue's are missing, rather than what they were."""
    assert "mainmask_oldest_job_age_seconds" in client.get("/metrics").text
    queue_gauges.cache_clear()

    def away(*_: Any, **__: Any) -> None:
        raise OperationalError("SELECT", {}, Exception("away"))

    monkeypatch.setattr(load, "depths", away)
    text = client.get("/metrics").text
    assert "mainmask_http_requests_total" in text
    assert "mainmask_oldest_job_age_seconds" not in text
    assert "mainmask_queue_depth" not in text


def test_the_queue_is_measured_once_a_second(client: TestClient) -> None:
    """However many ask, by counts that go no further than they must."""
    with listened_to() as statements:
        gauges = QueueGauges()
        started = time.monotonic()
        for _ in range(100):
            gauges.metrics()
        assert time.monotonic() - started < 1
    assert len(statements) == 4
    assert all("LIMIT" in statement for statement in statements)
