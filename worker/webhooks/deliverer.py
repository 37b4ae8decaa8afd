"""One attempt: claim, build, sign, POST, record."""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import BoundedSemaphore
from uuid import UUID

from opentelemetry.trace import Span, SpanKind
from sqlalchemy.orm import Session, sessionmaker
from structlog.contextvars import bind_contextvars

from db import deliveries, lines, messages, signing, tracing
from db.deliveries import Answered, Claim, Step
from db.errors import MainmaskError
from db.lines import Limits
from db.result_documents import UrlSigner
from db.session import OUTAGES
from db.states import DeliveryStatus
from worker.outgoing.busy import OutgoingBusy
from worker.outgoing.client import OutgoingClient
from worker.webhooks import attempt_log, message, policy

logger = logging.getLogger(__name__)

LEASE_PER_DEADLINE = 2
"""The deadline bounds the request; as long again is left for what is before and after it."""


@dataclass(frozen=True)
class Deliverer:
    """What attempts need; shared by threads."""

    sessions: sessionmaker[Session]
    client: OutgoingClient
    signer: UrlSigner
    deadline_seconds: float
    limits: Limits
    repeats: BoundedSemaphore
    """Repeated attempts that this process may still begin: where one failed others will, and hold its threads."""

    def deliver(self, delivery_id: UUID) -> None:
        """Attempt a delivery, if it is due and there is room for it; then wake those that may go next."""
        lease = timedelta(seconds=LEASE_PER_DEADLINE * self.deadline_seconds)
        with self.sessions.begin() as session:
            claim = deliveries.take(session, delivery_id, lease, self.limits)
        if claim is None:
            logger.info("delivery %s is not due, or waits in line: nothing to do", delivery_id)
            return
        bind_contextvars(**claim.log_fields)
        try:
            with self._room(claim):
                answered, step = self._attempt(claim)
        except OutgoingBusy:
            self._hand_back(claim)
        else:
            # Before it is recorded: it was made, whether the database takes it or not.
            attempt_log.tell(claim, answered, step)
            self._record(claim, answered, step)

    @contextmanager
    def _room(self, claim: Claim) -> Iterator[None]:
        """For a repeated attempt; raises `OutgoingBusy` when there is none."""
        if claim.attempt == 1:
            yield
            return
        if not self.repeats.acquire(blocking=False):
            raise OutgoingBusy
        try:
            yield
        finally:
            self.repeats.release()

    def _attempt(self, claim: Claim) -> tuple[Answered, Step]:
        started = time.monotonic()
        try:
            with tracing.span("deliver", claim.traceparent, SpanKind.CLIENT, _attributes(claim)) as span:
                answered, step = self._post(claim)
                _describe(span, answered, step)
                return answered, step
        except (*OUTAGES, OutgoingBusy):
            raise
        except Exception as error:
            # Recorded whatever it is, lest it be tried every few seconds for ever.
            if not isinstance(error, MainmaskError):
                logger.exception("delivery %s: attempt %d failed unexpectedly", claim.delivery_id, claim.attempt)
            answered = Answered(_ms(time.monotonic() - started), error=policy.said(error))
            return answered, policy.after_error(claim.attempt, error)

    def _post(self, claim: Claim) -> tuple[Answered, Step]:
        with self.sessions.begin() as session:
            content = message.payload(session, claim, self.signer)
            secrets = [found.secret for found in signing.valid(session, claim.tenant)]
        now = datetime.now(UTC)
        answer = self.client.post(
            claim.url,
            content=content,
            headers={**message.headers(claim.delivery_id, content, secrets, now), **tracing.headers()},
            deadline_seconds=self.deadline_seconds,
            tenant=claim.tenant,
        )
        answered = Answered(_ms(answer.duration_seconds), answer.status, _text(answer.head))
        return answered, policy.after_answer(claim.attempt, answer.status, answer.headers, datetime.now(UTC))

    def _hand_back(self, claim: Claim) -> None:
        # Nobody else of its receiver's is called: they would find no room either. The sweep calls them in a moment.
        with self.sessions.begin() as session:
            deliveries.hand_back(session, claim, policy.delay_after_none_seconds())

    def _record(self, claim: Claim, answered: Answered, step: Step) -> None:
        with self.sessions.begin() as session:
            if not deliveries.record(session, claim, answered, step):
                logger.warning("delivery %s: attempt %d came too late", claim.delivery_id, claim.attempt)
            following = lines.call_next(session, claim.receiver, claim.tenant, self.limits)
        messages.send_deliveries(following)


def _attributes(claim: Claim) -> Mapping[str, str | int | None]:
    return {
        "http.request.method": "POST",
        "server.address": claim.receiver,
        "http.request.resend_count": claim.attempt - 1,
        "mainmask.delivery.id": str(claim.delivery_id),
        "mainmask.job.id": str(claim.job_id) if claim.job_id else None,
        "mainmask.event": claim.event,
        "mainmask.tenant": claim.tenant,
    }


def _describe(span: Span, answered: Answered, step: Step) -> None:
    if answered.status_code is not None:
        span.set_attribute("http.response.status_code", answered.status_code)
    if step.status is not DeliveryStatus.SUCCEEDED:
        tracing.fail(span, str(answered.status_code))


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _text(head: bytes) -> str:
    """What Postgres can keep of it: text without NUL."""
    return head.decode("utf-8", errors="replace").replace("\x00", "\N{REPLACEMENT CHARACTER}")
