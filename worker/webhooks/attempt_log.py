"""The line that an attempt leaves in the log."""

import logging
from typing import Any

from db.deliveries import Answered, Claim, Step
from db.states import DeliveryStatus
from db.tallies import webhook_result

logger = logging.getLogger(__name__)


def tell(claim: Claim, answered: Answered, step: Step) -> None:
    """Log how it went: whose it was and what came of it, as fields.

    Of the URL host and port alone are told, because receivers keep secrets in paths and queries; and nothing of what
    was sent or answered.
    """
    fields: dict[str, Any] = {
        **claim.log_fields,
        "webhook_event": str(claim.event),
        "receiver": _place(claim),
        "result": webhook_result(step.status),
        "duration_ms": answered.duration_ms,
    }
    if answered.status_code is not None:
        fields["status_code"] = answered.status_code
    said = f"it answered {answered.status_code}" if answered.status_code is not None else answered.error
    level = logging.INFO if step.status is DeliveryStatus.SUCCEEDED else logging.WARNING
    logger.log(
        level,
        "webhook %s to %s: attempt %d %s: %s",
        claim.event,
        fields["receiver"],
        claim.attempt,
        fields["result"],
        said,
        extra=fields,
    )


def _place(claim: Claim) -> str:
    # A URL that could not be taken apart stands for its own host.
    return "an unreadable URL" if claim.receiver == claim.url else claim.receiver
