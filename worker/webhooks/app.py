"""The Celery application of the process that delivers webhooks.

`celery --app worker.webhooks.app worker --queues webhooks --pool threads`: its threads wait for receivers, so there may
be many; and apart from the GPU workers, because receivers may be slow.
"""

import logging
from functools import lru_cache
from threading import BoundedSemaphore
from uuid import UUID

from db.lines import Limits
from db.messages import DELIVER, celery_app
from db.session import OUTAGES, session_factory
from db.settings import settings
from db.storage import object_store
from worker import observability
from worker.outgoing.client import OutgoingClient
from worker.outgoing.rules import Rules
from worker.webhooks.deliverer import Deliverer

logger = logging.getLogger(__name__)

app = celery_app(settings())


@lru_cache
def deliverer() -> Deliverer:
    """The process's one."""
    config = settings()
    return Deliverer(
        sessions=session_factory(),
        client=OutgoingClient(Rules.of(config.outgoing_allowed_hosts, config.outgoing_allowed_ports)),
        signer=object_store(),
        deadline_seconds=config.webhook_deadline_seconds,
        limits=Limits(config.webhook_attempts_per_receiver, config.webhook_attempts_per_tenant),
        repeats=BoundedSemaphore(config.webhook_repeats_at_once),
    )


def deliver(delivery_id: str) -> None:
    """Attempt one delivery."""
    try:
        deliverer().deliver(UUID(delivery_id))
    except OUTAGES as error:
        # Nothing is lost: once its lease has run out, the sweep sends it again, with the same webhook-id.
        logger.warning("delivery %s: the database is unavailable: %s", delivery_id, error)


app.task(deliver, name=DELIVER)
observability.install("webhooks")
