"""Webhooks, checked and read. Needs the extra: `pip install 'mainmask[webhooks]'`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mainmask.errors import BadWebhook
from mainmask.jobs import Job

try:
    from standardwebhooks import Webhook, WebhookVerificationError
    from standardwebhooks.webhooks import EmptyWebhookSecretError
except ImportError as error:
    raise ImportError("Webhooks need one more package: pip install 'mainmask[webhooks]'") from error


@dataclass(frozen=True)
class WebhookEvent:
    """What a webhook tells."""

    id: str
    """The same for every attempt to deliver this event: keep those that were handled, and skip them."""
    type: str
    """job.succeeded, job.failed, job.canceled or batch.completed."""
    happened_at: datetime
    data: Mapping[str, Any]
    """The document of the job, or of the batch."""

    @property
    def job(self) -> Job | None:
        """The job that ended; None where it is a batch."""
        return Job.from_document(self.data) if self.type.startswith("job.") else None


def verify_webhook(payload: bytes | str, headers: Mapping[str, str], secret: str) -> WebhookEvent:
    """The event of a request to a webhook's receiver, once its signature is found to be the service's.

    >>> from mainmask.webhooks import verify_webhook
    >>> event = verify_webhook(payload, headers, secret)
    >>> event.type, event.job.result.main_object.label
    ('job.succeeded', 'cat')

    Args:
        payload: the body as it came, before any JSON parser has seen it.
        headers: the request's; their names in upper or lower case.
        secret: one of `GET /v1/webhook-secrets`, whsec_…

    Raises:
        BadWebhook: it is not signed with this secret, is older or newer than five minutes, or tells no event.
        ValueError: the secret is none.
    """
    try:
        verifier = Webhook(secret)
    except (ValueError, EmptyWebhookSecretError) as error:
        raise ValueError("The webhook secret is none: it looks like whsec_… in base64") from error
    try:
        document = verifier.verify(payload, dict(headers))
        identity = next(value for name, value in headers.items() if name.lower() == "webhook-id")
        happened_at = datetime.fromisoformat(document["timestamp"])
        event = WebhookEvent(identity, str(document["type"]), happened_at, document["data"])
        _ = event.job
    except WebhookVerificationError as error:
        raise BadWebhook(str(error)) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadWebhook(f"It makes no sense ({type(error).__name__})") from error
    return event
