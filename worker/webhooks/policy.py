"""What follows from an attempt to deliver: the schedule as data, and the pure function that reads it."""

import random
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from db.deliveries import Step
from db.errors import MainmaskError, UrlRefused
from db.outbox import GONE
from db.states import DeliveryStatus

DELAYS_SECONDS = (5, 30, 2 * 60, 10 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600)
"""After the first attempt, the second, …; what fails once more after the last is given up, some 18 hours old."""
JITTER = 0.2
"""A delay is up to this share longer or shorter: deliveries that failed together don't come back together."""
LONGEST_RETRY_AFTER_SECONDS = 12 * 3600
GONE_STATUS = 410
BUSY_SECONDS = 4.0
"""After an attempt for which there was no room."""


def after_answer(attempt: int, status: int, headers: Mapping[str, str], now: datetime) -> Step:
    """What follows from an answer to the attempt of this number, from 1.

    Args:
        attempt: its number.
        status: the answer's.
        headers: the answer's, by names in lower case.
        now: an aware time, which a `Retry-After` date is compared with.
    """
    if 200 <= status < 300:
        return Step(DeliveryStatus.SUCCEEDED)
    if status == GONE_STATUS:
        return Step(DeliveryStatus.DISABLED, reason=GONE)
    asked_seconds = retry_after_seconds(headers.get("retry-after", ""), now)
    return _again(attempt, asked_seconds, f"the receiver answered {status}")


def after_error(attempt: int, error: Exception) -> Step:
    """What follows when there was no answer to the attempt of this number, from 1."""
    if isinstance(error, UrlRefused):
        return Step(DeliveryStatus.FAILED, reason=str(error))
    return _again(attempt, 0, said(error))


def delay_after_none_seconds() -> float:
    """When to come back after an attempt that wasn't made, because too many like it were under way."""
    return BUSY_SECONDS * random.uniform(0.5, 1)  # noqa: S311 - spreads load, guards nothing


def said(error: Exception) -> str:
    """What the caller is told of it: our own errors speak for themselves, the inside of others stays in the log."""
    return str(error) if isinstance(error, MainmaskError) else f"an unexpected {type(error).__name__} ended the attempt"


def retry_after_seconds(value: str, now: datetime) -> float:
    """A `Retry-After` header in seconds, within hours; 0 where it is missing, past or malformed."""
    value = value.strip()
    if value.isascii() and value.isdecimal():
        # Ten digits are longer than the longest already, and no number is too long to be read.
        return min(float(value[:10]), LONGEST_RETRY_AFTER_SECONDS)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, IndexError, OverflowError):
        return 0
    # HTTP's dates are GMT; one without a zone is taken for that.
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max((aware - now).total_seconds(), 0), LONGEST_RETRY_AFTER_SECONDS)


def _again(attempt: int, asked_seconds: float, reason: str) -> Step:
    """Another attempt, never sooner than was asked for, nor than the schedule says; or the end, after the last."""
    if attempt > len(DELAYS_SECONDS):
        return Step(DeliveryStatus.FAILED, reason=f"attempt {attempt} was the last one: {reason}")
    spread = random.uniform(-JITTER, JITTER)  # noqa: S311 - spreads load, guards nothing
    scheduled_seconds = DELAYS_SECONDS[attempt - 1] * (1 + spread)
    return Step(DeliveryStatus.PENDING, max(scheduled_seconds, asked_seconds * (1 + abs(spread))))
