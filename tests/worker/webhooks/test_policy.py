"""What follows from an answer, and from none: the schedule, `Retry-After`, and the ends."""

from datetime import UTC, datetime

import pytest

from db.deliveries import Step
from db.errors import FetchFailed, FetchUnavailable, UrlRefused
from db.states import DeliveryStatus
from worker.webhooks.policy import (
    DELAYS_SECONDS,
    JITTER,
    LONGEST_RETRY_AFTER_SECONDS,
    after_answer,
    after_error,
    retry_after_seconds,
)

NOW = datetime(2026, 7, 1, 12, 0, 0, tzinfo=UTC)
LAST = len(DELAYS_SECONDS) + 1
HOUR = 3600


def answered(attempt: int, status: int, **headers: str) -> Step:
    """The step after such an answer; underscores in names are hyphens."""
    return after_answer(attempt, status, {name.replace("_", "-"): value for name, value in headers.items()}, NOW)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
@pytest.mark.parametrize("attempt", [1, LAST])
def test_only_2xx_is_a_success(attempt: int, status: int) -> None:
    """At any attempt."""
    assert answered(attempt, status) == Step(DeliveryStatus.SUCCEEDED)


@pytest.mark.parametrize("status", [100, 199, 300, 301, 302, 307, 400, 401, 404, 409, 429, 500, 502, 503, 599])
def test_all_else_is_tried_again(status: int) -> None:
    """Redirects and mistakes of the receiver's own, too: both get mended."""
    assert answered(1, status).status is DeliveryStatus.PENDING
    assert answered(LAST, status).status is DeliveryStatus.FAILED


@pytest.mark.parametrize("attempt", [1, LAST])
def test_gone_is_gone(attempt: int) -> None:
    """410 disables the URL, and says so."""
    step = answered(attempt, 410)
    assert step.status is DeliveryStatus.DISABLED
    assert "410 Gone" in (step.reason or "")


@pytest.mark.parametrize(("attempt", "scheduled_seconds"), list(enumerate(DELAYS_SECONDS, start=1)))
def test_each_delay_is_about_the_schedules(attempt: int, scheduled_seconds: float) -> None:
    """Jittered, and never all the same."""
    delays = [answered(attempt, 500).delay_seconds for _ in range(200)]
    assert min(delays) >= scheduled_seconds * (1 - JITTER)
    assert max(delays) <= scheduled_seconds * (1 + JITTER)
    assert len(set(delays)) > 100


def test_the_schedule_is_hours_long() -> None:
    """A receiver that is away for a night misses nothing."""
    assert list(DELAYS_SECONDS) == sorted(DELAYS_SECONDS)
    assert sum(DELAYS_SECONDS) * (1 - JITTER) > 12 * HOUR


def test_the_last_failure_says_why() -> None:
    """The reason names the attempt and what was answered; redeliveries after it are attempted once each."""
    assert answered(LAST, 503).reason == f"attempt {LAST} was the last one: the receiver answered 503"
    assert answered(LAST + 1, 503).status is DeliveryStatus.FAILED


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        (" 120 ", 120),
        ("86400", LONGEST_RETRY_AFTER_SECONDS),
        ("9" * 5000, LONGEST_RETRY_AFTER_SECONDS),
        ("Wed, 01 Jul 2026 12:05:00 GMT", 300),
        ("Wed, 01 Jul 2026 12:05:00 -0000", 300),
        ("Wed, 01 Jul 2026 14:05:00 +0200", 300),
        ("Wed, 01 Jul 2026 11:00:00 GMT", 0),
        ("Fri, 01 Jan 2100 00:00:00 GMT", LONGEST_RETRY_AFTER_SECONDS),
        *((malformed, 0) for malformed in ("", "soon", "-5", "1.5", "5, 10", "²", "Wed, 41 Jul 2026 12:05:00 GMT")),
    ],
)
def test_retry_after_is_read(value: str, seconds: float) -> None:
    """In both of its forms, within hours; what can't be read is as if it weren't there."""
    assert retry_after_seconds(value, NOW) == seconds


def test_retry_after_is_honoured() -> None:
    """Never sooner than it says, and not much later; and never sooner than the schedule."""
    assert all(120 <= answered(1, 503, retry_after="120").delay_seconds <= 120 * (1 + JITTER) for _ in range(50))
    assert answered(8, 429, retry_after="1").delay_seconds >= DELAYS_SECONDS[7] * (1 - JITTER)


@pytest.mark.parametrize("error", [FetchUnavailable("?"), FetchFailed("its certificate can't be verified"), OSError()])
def test_no_answer_is_tried_again(error: Exception) -> None:
    """Whoever doesn't answer may do so later."""
    assert after_error(1, error).status is DeliveryStatus.PENDING
    assert after_error(LAST, error).status is DeliveryStatus.FAILED


def test_a_refused_url_is_given_up() -> None:
    """It would be refused again."""
    step = after_error(1, UrlRefused("port 22 is not allowed"))
    assert step == Step(DeliveryStatus.FAILED, reason="The URL is refused: port 22 is not allowed.")
