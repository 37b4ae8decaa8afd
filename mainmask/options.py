"""What can be said of a job besides its image and a description."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

Artifact = Literal["mask", "cutout", "overlay"]
Instances = Literal["best", "all"]
Event = Literal["job.succeeded", "job.failed", "job.canceled"]
OnMissing = Literal["not_found", "next"]
Priority = Literal["high", "normal", "low"]


class SubmitOptions(TypedDict, total=False):
    """The keyword arguments of `Client.submit` and `Client.segment`."""

    image_url: str
    """Where the service fetches the image, instead of an image."""
    labels: Sequence[str] | None
    """The candidates themselves, instead of a description."""
    instances: Instances
    """Only the best match of the main object, or all."""
    on_missing: OnMissing
    """When the chosen candidate isn't found: say so, or take the next one that is."""
    outputs: Sequence[Artifact]
    """The pictures to make; all unless given."""
    models: Mapping[str, str]
    """By stage, the models to use instead of the service's own choice: {"detect": "…"}."""
    box_threshold: float
    """The least box score to take, between 0 and 1, instead of the models' own rule."""
    priority: Priority
    """Against the caller's other jobs."""
    reuse: bool
    """False: don't be content with an earlier answer to the same question, which would be there at once."""
    metadata: Mapping[str, Any]
    """Anything of the caller's own that JSON can hold; the job carries it along."""
    webhook_url: str
    """Where the service POSTs the job to when it has ended."""
    webhook_events: Sequence[Event]
    """Only these ends; all unless given."""


class KeyOptions(TypedDict, total=False):
    """The keyword arguments of `Client.create_key`; None is as if it had not been given."""

    tenant: str | None
    """Whose jobs it sees; else a tenant of its own, named after it."""
    scopes: Sequence[str] | None
    """What it may do: jobs:read, jobs:write (both unless given), admin."""
    requests_per_minute: int | None
    """How many, at most."""
    jobs_in_flight: int | None
    """How many of its tenant's jobs may not have ended."""
    bytes_per_day: int | None
    """How much it may send with submissions."""
