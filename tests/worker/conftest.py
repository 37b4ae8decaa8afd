"""The tasks as their tests want them."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pytest
import redis
from sqlalchemy import event

from db import loaded_profiles
from db.session import session_factory
from db.states import StageName
from tests.worker.consumer import Consumer
from tests.worker.fake_worker import Worker
from worker import runs, tasks
from worker.consuming import consuming


@pytest.fixture
def worker(migrated: None, monkeypatch: pytest.MonkeyPatch) -> Worker:
    """Tasks whose models are fakes."""
    made = Worker()
    for module in (tasks, runs):
        monkeypatch.setattr(module, "runtime", made.runtime)
    return made


@pytest.fixture
def queues(environment: dict[str, str]) -> "redis.Redis":
    """The broker, its stage queues empty."""
    client = redis.Redis.from_url(environment["MAINMASK_REDIS_URL"])
    client.delete(*StageName)
    return client


@pytest.fixture
def announced(worker: Worker) -> Iterator[None]:
    """The fakes are the models that answer."""
    models = {str(name): asdict(card) for name, card in worker.runtime().pipeline.cards.items()}
    with session_factory().begin() as session:
        loaded_profiles.announce(session, "tiny", models)
    yield
    with session_factory().begin() as session:
        loaded_profiles.announce(session, "tiny", {})


@pytest.fixture
def round_trips(worker: Worker) -> Iterator[Counter[str]]:
    """How many `statements` went to Postgres, and how many `calls` to S3."""
    counted: Counter[str] = Counter()

    def count_statement(*_: Any) -> None:
        counted["statements"] += 1

    def count_call(**_: Any) -> None:
        counted["calls"] += 1

    engine = session_factory().kw["bind"]
    events = worker.store._client.meta.events
    event.listen(engine, "before_cursor_execute", count_statement)
    events.register("before-call.s3", count_call)
    yield counted
    event.remove(engine, "before_cursor_execute", count_statement)
    events.unregister("before-call.s3", count_call)


@pytest.fixture
def consumer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Consumer:
    """This process takes messages of all stages, or of those that are given."""
    made = Consumer(getattr(request, "param", tuple(StageName)))
    monkeypatch.setattr(consuming, "_consumer", made)
    return made


@pytest.fixture
def leaving() -> Iterator[None]:
    """This process was told to stop."""
    consuming.leaving.set()
    yield
    consuming.leaving.clear()
