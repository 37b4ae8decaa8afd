"""The tasks as their tests want them."""

from collections.abc import Iterator
from dataclasses import asdict

import pytest
import redis

from db import loaded_profiles
from db.session import session_factory
from db.states import StageName
from tests.worker.fake_worker import Worker
from worker import tasks


@pytest.fixture
def worker(migrated: None, monkeypatch: pytest.MonkeyPatch) -> Worker:
    """Tasks whose models are fakes."""
    made = Worker()
    monkeypatch.setattr(tasks, "runtime", made.runtime)
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
