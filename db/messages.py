"""The messages: what wakes a worker up. They carry a job's id; Postgres holds all else."""

from collections.abc import Iterable
from functools import lru_cache
from uuid import UUID

from celery import Celery
from kombu.exceptions import OperationalError

from db import redis_transport
from db.settings import Settings, settings
from db.states import StageName

VISIBILITY_TIMEOUT_SECONDS = 3600
DELIVER = "deliver"
"""The task that attempts one delivery of a webhook."""
WEBHOOKS = "webhooks"
"""Its queue: never a GPU worker's."""
REPEATED_PRIORITY = 5
PRIORITIES = tuple(range(10))
"""0 is taken first. Kombu keeps a Redis list for each; that of 0 has the queue's own name."""


def celery_app(config: Settings) -> Celery:
    """Celery, configured alike for those who send and those who consume."""
    redis_transport.install()
    app = Celery("mainmask", broker=config.redis_url)
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,  # the results are rows
        task_routes={name: {"queue": name} for name in StageName},
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,  # a waiting message is any worker's, not the first one's to hoard
        worker_send_task_events=True,  # Flower watches these
        task_send_sent_event=True,
        broker_connection_retry_on_startup=True,
        broker_transport_options={
            "visibility_timeout": VISIBILITY_TIMEOUT_SECONDS,
            "priority_steps": list(PRIORITIES),
            # Else the lists of all queues are taken from in turn, whatever their priority.
            "queue_order_strategy": "priority",
        },
    )
    return app


@lru_cache
def _sender() -> Celery:
    """Sending is bounded: the row is the acceptance, so neither a request nor a worker waits long for Redis."""
    app = celery_app(settings())
    app.conf.task_publish_retry = False
    app.conf.broker_transport_options |= {
        "socket_timeout": 5,
        "socket_connect_timeout": 2,
        "max_retries": 1,
        "interval_start": 0,
    }
    return app


def task_id(stage: StageName, job_id: UUID) -> str:
    """By which Celery and Flower know a stage of a job, however often it is begun."""
    return f"{stage}-{job_id}"


def send(stage: StageName, job_id: UUID, *, delay_seconds: float = 0, priority: int = 0) -> bool:
    """Wake a worker for this stage of the job, after the row is committed; False when Redis can't be reached."""
    try:
        _sender().send_task(
            stage,
            args=[str(job_id)],
            queue=stage,
            task_id=task_id(stage, job_id),
            countdown=delay_seconds or None,
            priority=priority,
        )
    except OperationalError:
        return False
    return True


def send_all(stages: Iterable[tuple[StageName, UUID, int]]) -> bool:
    """Wake workers for these stages of jobs, with these priorities; False when Redis couldn't be reached for one.

    The rest is not tried then, or each would wait as long for a Redis that is silent: the sweep sends them.
    """
    return all(send(stage, job_id, priority=priority) for stage, job_id, priority in stages)


def send_delivery(delivery_id: UUID, attempts: int = 0) -> bool:
    """Have a delivery attempted, after its row is committed; False when Redis can't be reached.

    Those that were attempted before wait behind those that were not.
    """
    try:
        _sender().send_task(
            DELIVER,
            args=[str(delivery_id)],
            queue=WEBHOOKS,
            task_id=f"{DELIVER}-{delivery_id}",
            priority=REPEATED_PRIORITY if attempts else 0,
        )
    except OperationalError:
        return False
    return True


def send_deliveries(deliveries: Iterable[tuple[UUID, int]]) -> bool:
    """Have these attempted, each with its attempts so far; like `send_all`."""
    return all(send_delivery(delivery_id, attempts) for delivery_id, attempts in deliveries)


def waiting(queue: str) -> int:
    """How many messages lie in the queue, such as a stage's; raises kombu's `OperationalError` without Redis."""
    with _sender().connection_for_write() as connection, connection._reraise_as_library_errors():
        # Not passively: a queue is a Redis list, which isn't there while it is empty.
        declared = connection.default_channel.queue_declare(queue=queue)
        return int(declared.message_count)


def ping() -> None:
    """One round trip to the broker; raises kombu's `OperationalError` when it doesn't answer."""
    with _sender().connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, timeout=2)
