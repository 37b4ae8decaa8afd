"""The outbox: what webhooks are to tell, written in the very transaction in which it happens.

Nothing here commits.
"""

from functools import partial
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import Row, func
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from db import messages
from db.commits import after_commit
from db.keys import submitted_at
from db.models import Batch, Delivery, DisabledReceiver, Job
from db.states import DeliveryStatus, Event, JobStatus

GONE = "the receiver answered 410 Gone, so nothing more is sent to this URL until a redelivery succeeds"
DEFAULT_PORTS = {"http": 80, "https": 443}


def job_ended(session: Session, job: Job | Row[*tuple[Any, ...]], status: JobStatus) -> None:
    """Tell of the end of a job, of which so much is given, if its caller wants to hear of it."""
    happened = Event(f"job.{status}")
    if job.webhook_url is not None and (job.webhook_events is None or happened in job.webhook_events):
        _create(session, job.tenant, happened, job.webhook_url, job_id=job.id)


def batch_completed(session: Session, batch: Batch) -> None:
    """Tell that a batch's last job has ended, if its caller wants to hear of it."""
    if batch.webhook_url is not None:
        _create(session, batch.tenant, Event.BATCH_COMPLETED, batch.webhook_url, batch_id=batch.id)


def _create(session: Session, tenant: str, happened: Event, url: str, **subject: UUID) -> None:
    is_gone = session.get(DisabledReceiver, (tenant, url)) is not None
    delivery_id = uuid7()
    delivery = Delivery(
        id=delivery_id,
        created_at=submitted_at(delivery_id),  # lists are asked by either
        tenant=tenant,
        event=happened,
        url=url,
        receiver=receiver(url),
        status=DeliveryStatus.DISABLED if is_gone else DeliveryStatus.PENDING,
        reason=GONE if is_gone else None,
        due_at=func.clock_timestamp(),
        sent_at=func.clock_timestamp(),
        finished_at=func.clock_timestamp() if is_gone else None,
        **subject,
    )
    session.add(delivery)
    session.flush()
    if not is_gone:
        # Whoever ends a job, and in which process, its webhook is on its way as soon as that is committed; what can't
        # be sent then, the sweep sends.
        after_commit(session, partial(messages.send_delivery, delivery.id))


def receiver(url: str) -> str:
    """Host and port of a URL that was checked when it came in."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return url  # never in the way of a job's end: the request will be refused for it
    return f"{host}:{port or DEFAULT_PORTS.get(parts.scheme, 0)}"
