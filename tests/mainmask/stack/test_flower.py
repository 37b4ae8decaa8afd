"""Flower as the stack runs it."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from celery import Celery

from mainmask.stack.ports import LOOPBACK, free_port
from mainmask.stack.program import Program
from mainmask.stack.redis import Redis
from mainmask.stack.services import Services
from tests import servers
from tests.e2e.watched import wait_until

TASK = "classify-01a20b39-fa84-76fc-9fc8-665c00a51f93"
PORT = free_port()
URL = f"http://{LOOPBACK}:{PORT}"


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """The user has none of Flower's."""
    for name in [name for name in os.environ if name.startswith("FLOWER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("FLOWER_UNAUTHENTICATED_API", "true")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Redis]:
    """Without other tests' events."""
    with servers.redis(tmp_path) as redis:
        yield redis


def flower(broker: Redis, folder: Path) -> Program:
    """As `mainmask up` has it."""
    return Services({"MAINMASK_REDIS_URL": broker.url}).flower(PORT, folder / "flower")


def tasks() -> dict[str, Any]:
    """Those that Flower knows."""
    found: dict[str, Any] = httpx.get(f"{URL}/api/tasks", trust_env=False).raise_for_status().json()
    return found


def test_it_keeps_what_it_has_seen(broker: Redis, tmp_path: Path) -> None:
    """Stopped and started again it still shows the tasks of before."""
    with (
        servers.running(flower(broker, tmp_path), tmp_path),
        Celery(broker=broker.url).events.default_dispatcher(hostname="celery@here") as events,
    ):
        wait_until(lambda: _sent(events), 20)
    with servers.running(flower(broker, tmp_path), tmp_path):
        assert tasks()[TASK]["state"] == "RECEIVED"


def _sent(events: Any) -> bool:
    events.send("task-received", uuid=TASK, name="classify", args="()", kwargs="{}")
    return TASK in tasks()


def test_it_asks_for_a_password_where_the_user_sets_one(
    broker: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flower's own variable says which; the stack still sees that it is up."""
    monkeypatch.setenv("FLOWER_BASIC_AUTH", "anna:her-password")
    with servers.running(flower(broker, tmp_path), tmp_path), httpx.Client(base_url=URL, trust_env=False) as client:
        assert client.get("/").status_code == 401
        assert client.get("/", auth=("anna", "wrong")).status_code == 401
        assert client.get("/", auth=("anna", "her-password")).is_success


def test_the_users_variables_come_first(broker: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who wants buttons gets them."""
    assert flower(broker, tmp_path).environment["FLOWER_READ_ONLY"] == "true"
    monkeypatch.setenv("FLOWER_READ_ONLY", "false")
    assert flower(broker, tmp_path).environment["FLOWER_READ_ONLY"] == "false"


def test_it_knows_the_queues_when_no_worker_is_up(broker: Redis, tmp_path: Path) -> None:
    """Then what waits in them matters most."""
    with servers.running(flower(broker, tmp_path), tmp_path):
        page = httpx.get(f"{URL}/broker", trust_env=False).raise_for_status().text
    for queue in ("classify", "detect", "segment", "webhooks"):
        assert queue in page
