"""The retry decision, by table."""

import pytest

from db.errors import (
    FetchFailed,
    FetchTooLarge,
    FetchUnavailable,
    InvalidImage,
    NoCandidates,
    OutOfMemory,
    StorageUnavailable,
    UrlRefused,
    WorkerLost,
)
from db.states import StageName
from worker.retries import POLICIES, retry_delay_seconds


@pytest.mark.parametrize("stage", list(StageName))
@pytest.mark.parametrize(
    ("error", "attempt", "retried"),
    [
        (StorageUnavailable("get"), 1, True),
        (StorageUnavailable("get"), 7, True),
        (StorageUnavailable("get"), 8, False),
        (ConnectionResetError(), 1, True),
        (TimeoutError(), 1, True),
        (WorkerLost(), 2, True),
        (WorkerLost(), 3, False),
        (OutOfMemory(), 1, True),
        (OutOfMemory(), 2, False),
        (FetchUnavailable("it answers 503"), 4, True),
        (FetchUnavailable("it answers 503"), 5, False),
        (FetchFailed("it answers 404"), 1, False),
        (FetchTooLarge(1), 1, False),
        (UrlRefused("it is malformed"), 1, False),
        (InvalidImage("it is empty"), 1, False),
        (NoCandidates(), 1, False),
        (ValueError("a mistake of ours"), 1, False),
        (KeyError("a mistake of ours"), 1, False),
    ],
)
def test_only_what_may_pass_is_retried(stage: StageName, error: Exception, attempt: int, retried: bool) -> None:
    """Outages are retried until the attempts are used up; what can't succeed never is."""
    assert (retry_delay_seconds(stage, attempt, error) is not None) is retried


@pytest.mark.parametrize("stage", list(StageName))
def test_the_wait_grows_and_is_jittered(stage: StageName) -> None:
    """Each wait lies between half its step and the step, and the step doubles up to its maximum."""
    backoff = POLICIES[stage].retryable[StorageUnavailable]
    for attempt in range(1, backoff.attempts):
        step = min(backoff.first_delay_seconds * 2 ** (attempt - 1), backoff.maximum_delay_seconds)
        waits = [retry_delay_seconds(stage, attempt, StorageUnavailable("get")) for _ in range(50)]
        assert all(wait is not None and step / 2 <= wait <= step for wait in waits)
        assert len(set(waits)) > 1
