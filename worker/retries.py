"""When a stage that failed is tried again: policies as data, and the one pure function that reads them."""

import random
from dataclasses import dataclass

import torch

from db.errors import StorageUnavailable
from db.states import StageName


@dataclass(frozen=True)
class RetryPolicy:
    """How often a stage is tried, and how long apart."""

    attempts: int
    first_delay_seconds: float
    maximum_delay_seconds: float
    retryable: tuple[type[Exception], ...]


PASSING = (StorageUnavailable, ConnectionError, TimeoutError)

POLICIES: dict[StageName, RetryPolicy] = {
    StageName.CLASSIFY: RetryPolicy(4, 1, 30, (*PASSING, torch.OutOfMemoryError)),
    StageName.DETECT: RetryPolicy(4, 1, 30, (*PASSING, torch.OutOfMemoryError)),
    StageName.SEGMENT: RetryPolicy(4, 1, 30, (*PASSING, torch.OutOfMemoryError)),
}


def retry_delay_seconds(stage: StageName, attempt: int, error: Exception) -> float | None:
    """How long to wait before the next attempt after `attempt` (from 1) failed; None: it is the last.

    Exponential with full jitter: anywhere between half the step and the step, so that jobs that failed together
    don't come back together.
    """
    policy = POLICIES[stage]
    if not isinstance(error, policy.retryable) or attempt >= policy.attempts:
        return None
    step: float = min(policy.first_delay_seconds * 2 ** (attempt - 1), policy.maximum_delay_seconds)
    return step * random.uniform(0.5, 1)  # noqa: S311 - spreads load, guards nothing
