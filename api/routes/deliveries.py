"""What became of webhooks, and sending them again."""

from datetime import datetime
from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.callers import CallerOf
from api.guards import needs
from api.problems import responses
from db import batches, deliveries, jobs, messages
from db.api_keys import Scope
from db.models import Delivery, DeliveryAttempt
from db.session import session_factory
from db.states import DeliveryStatus, Event

router = APIRouter(prefix="/v1", tags=["webhooks"])

ERRORS = responses(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE)


class AttemptDocument(BaseModel):
    """One attempt, as it went."""

    number: int
    started_at: datetime
    duration_ms: int | None = Field(description="Null while it runs, and where it was lost.")
    status_code: int | None = Field(description="What the receiver answered; only 2xx is a success.")
    answer: str | None = Field(description="The first 1024 bytes of the answer, as text.")
    error: str | None = Field(description="Why there was no answer.")


class DeliveryDocument(BaseModel):
    """One event on its way to one URL."""

    id: UUID = Field(description="The `webhook-id` of every attempt.")
    event: Event
    job_id: UUID | None
    batch_id: UUID | None
    url: str
    status: DeliveryStatus
    reason: str | None = Field(description="Why it was given up.")
    next_attempt_at: datetime | None = Field(description="Not before; null once it is over.")
    created_at: datetime = Field(description="When it happened: the payload's `timestamp`.")
    finished_at: datetime | None
    attempts: list[AttemptDocument]


class DeliveryList(BaseModel):
    """Deliveries, the newest first."""

    deliveries: list[DeliveryDocument]


@router.get("/jobs/{job_id}/deliveries", dependencies=[needs(Scope.JOBS_READ)], responses=ERRORS)
def list_deliveries_of_job(job_id: UUID, caller: CallerOf) -> DeliveryList:
    """The webhooks of one job, each with all of its attempts."""
    with session_factory()() as session:
        jobs.find(session, caller.tenant, job_id)
        return _list(deliveries.of_job(session, job_id))


@router.get("/batches/{batch_id}/deliveries", dependencies=[needs(Scope.JOBS_READ)], responses=ERRORS)
def list_deliveries_of_batch(batch_id: UUID, caller: CallerOf) -> DeliveryList:
    """The webhooks of the batch itself, each with all of its attempts; those of its jobs are listed with them."""
    with session_factory()() as session:
        batches.find(session, caller.tenant, batch_id)
        return _list(deliveries.of_batch(session, batch_id))


@router.get("/deliveries/{delivery_id}", dependencies=[needs(Scope.JOBS_READ)], responses=ERRORS)
def get_delivery(delivery_id: UUID, caller: CallerOf) -> DeliveryDocument:
    """One webhook with all of its attempts."""
    with session_factory()() as session:
        return _document(deliveries.find(session, caller.tenant, delivery_id))


@router.post(
    "/deliveries/{delivery_id}/redeliver",
    status_code=HTTPStatus.ACCEPTED,
    dependencies=[needs(Scope.JOBS_WRITE)],
    responses=ERRORS,
)
def redeliver(delivery_id: UUID, caller: CallerOf) -> DeliveryDocument:
    """Send a webhook again now, whatever became of it; its attempts go on counting.

    A success enables a URL that had answered 410 Gone.
    """
    with session_factory().begin() as session:
        document = _document(deliveries.redeliver(session, caller.tenant, delivery_id))
    messages.send_delivery(delivery_id)
    return document


def _list(found: list[Delivery]) -> DeliveryList:
    return DeliveryList(deliveries=[_document(delivery) for delivery in found])


def _document(delivery: Delivery) -> DeliveryDocument:
    return DeliveryDocument(
        id=delivery.id,
        event=delivery.event,
        job_id=delivery.job_id,
        batch_id=delivery.batch_id,
        url=delivery.url,
        status=delivery.status,
        reason=delivery.reason,
        next_attempt_at=delivery.due_at if delivery.status is DeliveryStatus.PENDING else None,
        created_at=delivery.created_at,
        finished_at=delivery.finished_at,
        attempts=[_attempt(attempt) for attempt in delivery.tries],
    )


def _attempt(attempt: DeliveryAttempt) -> AttemptDocument:
    return AttemptDocument(
        number=attempt.number,
        started_at=attempt.started_at,
        duration_ms=attempt.duration_ms,
        status_code=attempt.status_code,
        answer=attempt.answer,
        error=attempt.error,
    )
