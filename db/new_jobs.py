"""What makes a job."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from db.states import Artifact, Instances, OnMissing, Priority


@dataclass(frozen=True, kw_only=True)
class NewJob:
    """What a caller submits: the image lies in the object storage already, or at a URL."""

    id: UUID
    tenant: str
    profile: str
    description: str | None = None
    labels: list[str] | None = None
    instances_wanted: Instances = Instances.BEST
    models: dict[str, str] | None = None
    outputs: list[str] = field(default_factory=lambda: list(Artifact))
    box_threshold: float | None = None
    on_missing: OnMissing = OnMissing.NOT_FOUND
    priority: Priority = Priority.NORMAL
    caller_metadata: dict[str, Any] = field(default_factory=dict)
    webhook_url: str | None = None
    webhook_events: list[str] | None = None
    batch_id: UUID | None = None
    reuse: bool = True
    reuse_key: str | None = None
    traceparent: str | None = None
    image_url: str | None = None
    image_sha256: str | None = None
    image_width: int | None = None
    image_height: int | None = None
    image_bytes: int | None = None
