"""The states of jobs and stages, and which may follow which: pure, no SQL."""

from enum import StrEnum


class JobStatus(StrEnum):
    """A job's state as its caller sees it."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


class StageStatus(StrEnum):
    """A stage's state: `pending` waits for the stage before it, `queued` for a worker."""

    PENDING = "pending"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"


class StageName(StrEnum):
    """The three stages; also the names of their tasks and queues."""

    CLASSIFY = "classify"
    DETECT = "detect"
    SEGMENT = "segment"

    @property
    def next(self) -> "StageName | None":
        """The stage that this one hands on to; None after the last."""
        order = list(StageName)
        following = order.index(self) + 1
        return order[following] if following < len(order) else None


class Outcome(StrEnum):
    """What a succeeded job answers."""

    FOUND = "found"
    NOT_FOUND = "not_found"


class Instances(StrEnum):
    """How many instances of the main object the caller wants."""

    BEST = "best"
    ALL = "all"


class CandidateSource(StrEnum):
    """Who named the candidates."""

    LABELS = "labels"
    """The caller, in `labels`."""
    LOCAL = "local"
    """The worker's own reading of the description."""
    ENDPOINT = "endpoint"
    """The language model that the operator configured, reading the description."""


class OnMissing(StrEnum):
    """What a caller wants when the chosen candidate isn't found in the picture."""

    NOT_FOUND = "not_found"
    """To be told so."""
    NEXT = "next"
    """The next candidate that is found."""


class Priority(StrEnum):
    """How soon a caller wants a job, against the same caller's other ones."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class Artifact(StrEnum):
    """The pictures of an instance."""

    MASK = "mask"
    CUTOUT = "cutout"
    OVERLAY = "overlay"

    @property
    def suffix(self) -> str:
        """Of its files' names."""
        # What is for the eye alone may lose a little: it takes a quarter of the space, and of the time.
        return ".jpg" if self is Artifact.OVERLAY else ".png"

    @property
    def content_type(self) -> str:
        """What HTTP calls its files."""
        return "image/jpeg" if self is Artifact.OVERLAY else "image/png"


class Event(StrEnum):
    """What webhooks tell of."""

    JOB_SUCCEEDED = "job.succeeded"
    JOB_FAILED = "job.failed"
    JOB_CANCELED = "job.canceled"
    BATCH_COMPLETED = "batch.completed"


class DeliveryStatus(StrEnum):
    """A webhook's state: `pending` until its receiver has taken it, all attempts are used up, or it is gone."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    DISABLED = "disabled"


IN_FLIGHT = frozenset({JobStatus.QUEUED, JobStatus.RUNNING})
TERMINAL = frozenset({JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELED})

JOB_TRANSITIONS: dict[JobStatus, frozenset[JobStatus]] = {
    JobStatus.QUEUED: frozenset({JobStatus.RUNNING, JobStatus.FAILED, JobStatus.CANCELED}),
    JobStatus.RUNNING: TERMINAL,
    JobStatus.SUCCEEDED: frozenset(),
    JobStatus.FAILED: frozenset({JobStatus.QUEUED}),  # requeued by its caller
    JobStatus.CANCELED: frozenset(),
}

STAGE_TRANSITIONS: dict[StageStatus, frozenset[StageStatus]] = {
    StageStatus.PENDING: frozenset({StageStatus.QUEUED, StageStatus.SKIPPED}),
    StageStatus.QUEUED: frozenset({StageStatus.RUNNING, StageStatus.SKIPPED}),
    # Skipped while running: its job was canceled, and the result that comes will be refused.
    StageStatus.RUNNING: frozenset(
        {StageStatus.SUCCEEDED, StageStatus.QUEUED, StageStatus.FAILED, StageStatus.SKIPPED}
    ),
    StageStatus.SUCCEEDED: frozenset(),
    StageStatus.FAILED: frozenset({StageStatus.QUEUED}),
    StageStatus.SKIPPED: frozenset({StageStatus.PENDING}),  # as a requeued job runs on to it
}


def check_job(source: JobStatus, target: JobStatus) -> None:
    """Raise ValueError where the table doesn't allow the step: a mistake in the code, never in the data."""
    if target not in JOB_TRANSITIONS[source]:
        raise ValueError(f"A job can't go from {source} to {target}.")


def check_stage(source: StageStatus, target: StageStatus) -> None:
    """Raise ValueError where the table doesn't allow the step: a mistake in the code, never in the data."""
    if target not in STAGE_TRANSITIONS[source]:
        raise ValueError(f"A stage can't go from {source} to {target}.")
