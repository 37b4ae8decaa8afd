"""What a receiver gets: the payload and its headers, by the Standard Webhooks specification."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from uuid import UUID

from sqlalchemy.orm import Session
from standardwebhooks import Webhook

from db import batches, jobs
from db.deliveries import Claim
from db.documents import BatchDocument, JobDocument, batch_document, job_document
from db.result_documents import UrlSigner

USER_AGENT = f"mainmask/{version('mainmask')}"


def payload(session: Session, claim: Claim, signer: UrlSigner) -> bytes:
    """The event as JSON, with its subject's document of now: its presigned URLs are fresh.

    Raises `JobNotFound` or `BatchNotFound` where the subject was deleted meanwhile.
    """
    content = {
        "type": claim.event,
        "timestamp": claim.happened_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "data": _document(session, claim, signer).model_dump(mode="json"),
    }
    return json.dumps(content).encode("ascii")


def _document(session: Session, claim: Claim, signer: UrlSigner) -> JobDocument | BatchDocument:
    if claim.job_id is not None:
        return job_document(jobs.find(session, claim.tenant, claim.job_id), signer)
    if claim.batch_id is None:
        raise ValueError(f"Delivery {claim.delivery_id} is about nothing.")
    batch = batches.find(session, claim.tenant, claim.batch_id)
    return batch_document(batch, batches.counts(session, batch.id))


def headers(delivery_id: UUID, content: bytes, secrets: Iterable[str], now: datetime) -> dict[str, str]:
    """Its headers, signed with each of the secrets; `now` in UTC, because the library takes it for that unasked."""
    signed = [Webhook(secret).sign(str(delivery_id), now, content.decode("ascii")) for secret in secrets]
    return {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "webhook-id": str(delivery_id),
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signed),
    }
