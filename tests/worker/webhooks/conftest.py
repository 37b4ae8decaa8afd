"""A receiver on this machine, a tenant, and what delivers to the one on behalf of the other."""

from collections.abc import Iterator
from threading import BoundedSemaphore

import pytest
import redis
from sqlalchemy import delete
from uuid_utils.compat import uuid7

from db.lines import Limits
from db.messages import WEBHOOKS
from db.models import Batch, Delivery, DisabledReceiver, Job, SigningSecret
from db.session import session_factory
from db.storage import object_store
from tests.worker.outgoing.server import Server
from worker.outgoing.client import OutgoingClient
from worker.outgoing.rules import Rules
from worker.webhooks.deliverer import Deliverer


@pytest.fixture
def receiver() -> Iterator[Server]:
    """A server that answers 200."""
    with Server() as server:
        yield server


@pytest.fixture
def queue(migrated: None, environment: dict[str, str]) -> Iterator["redis.Redis"]:
    """The broker, its queue of webhooks empty; and no delivery of other tests in the tables."""
    with session_factory().begin() as session:
        session.execute(delete(Delivery))
    client = redis.Redis.from_url(environment["MAINMASK_REDIS_URL"])
    for key in client.scan_iter(f"{WEBHOOKS}*"):  # one a priority
        client.delete(key)
    yield client
    client.close()


@pytest.fixture
def tenant(queue: "redis.Redis") -> Iterator[str]:
    """A tenant of the test's own; its rows are removed afterwards."""
    name = f"tenant-{uuid7()}"
    yield name
    with session_factory().begin() as session:
        for table in (Job, Batch, DisabledReceiver, SigningSecret):
            session.execute(delete(table).where(table.tenant == name))


@pytest.fixture
def deliverer(receiver: Server, migrated: None) -> Deliverer:
    """It may reach the receiver, and nothing else on this machine."""
    rules = Rules.of([f"{receiver.host}:{receiver.port}"])
    return Deliverer(
        session_factory(),
        OutgoingClient(rules),
        object_store(),
        deadline_seconds=15,
        limits=Limits(per_receiver=4, per_tenant=8),
        repeats=BoundedSemaphore(16),
    )
