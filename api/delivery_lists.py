"""Webhook deliveries as callers see them, and what a list of them is asked."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.texts import Text
from api.times import Time
from api.urls import check_url
from db.delivery_lists import DeliveryFilter
from db.models import Delivery, DeliveryAttempt
from db.states import DeliveryStatus, Event


class AttemptDocument(BaseModel):
    """One attempt, as it went."""

    number: int = Field(description="From 1.")
    started_at: datetime = Field(description="When the request was begun.")
    duration_ms: int | None = Field(description="Null while it runs, and where it was lost.")
    status_code: int | None = Field(description="What the receiver answered; only 2xx is a success.")
    answer: str | None = Field(description="The first 1024 bytes of the answer, as text.")
    error: str | None = Field(description="Why there was no answer.")


class DeliveryDocument(BaseModel):
    """One event on its way to one URL."""

    id: UUID = Field(description="The `webhook-id` of every attempt.")
    event: Event
    job_id: UUID | None = Field(description="The job whose end it tells of; null for a batch's.")
    batch_id: UUID | None = Field(description="The batch whose end it tells of; null for a job's.")
    url: str = Field(description="Where to.", examples=["https://example.com/hooks/mainmask"])
    status: DeliveryStatus
    reason: str | None = Field(description="Why it was given up.")
    next_attempt_at: datetime | None = Field(description="Not before; null once it is over.")
    created_at: datetime = Field(description="When it happened: the payload's `timestamp`.")
    finished_at: datetime | None = Field(description="When it arrived or was given up; null until then.")
    attempts: list[AttemptDocument] = Field(description="In their order.")


class DeliveryList(BaseModel):
    """All deliveries of one thing, the newest first."""

    deliveries: list[DeliveryDocument] = Field(description="Each with all of its attempts.")


class DeliveryPage(DeliveryList):
    """Some deliveries, the newest first."""

    next: UUID | None = Field(description="Send it as `before` for the next page; null on the last.")


class DeliveryQuery(BaseModel):
    """Which deliveries, and which page of them."""

    model_config = ConfigDict(extra="forbid")

    status: DeliveryStatus | None = Field(None, description="Only deliveries in this state.")
    event: Event | None = Field(None, description="Only deliveries of this event.")
    url: Text | None = Field(
        None, description="Only deliveries to this very URL.", examples=["https://example.com/hook"]
    )
    created_after: Time | None = Field(None, description="Only of events that happened at this time or later.")
    created_before: Time | None = Field(None, description="Only of events that happened before this time.")
    before: UUID | None = Field(None, description="Only deliveries older than this one: `next` of the page before.")
    limit: int = Field(20, ge=1, le=100, description="How many on a page.")

    def filter(self) -> DeliveryFilter:
        """What the database is asked."""
        return DeliveryFilter(**self.model_dump(exclude={"before", "limit", "url"}), url=_as_stored(self.url))


def delivery_document(delivery: Delivery) -> DeliveryDocument:
    """As the API shows it; its attempts are loaded."""
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


def _as_stored(url: str | None) -> str | None:
    """As submissions write the same URL; what is none was never delivered to."""
    try:
        return check_url(url) if url is not None else None
    except ValueError:
        return url
