"""Where a job's bytes lie in the object storage: all under one prefix, so that they leave together."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from db.states import Artifact

JOBS = "jobs/"
UPLOADS = "uploads/"
FEATURES = "features/"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def job_prefix(job_id: UUID) -> str:
    """All that belongs to the job."""
    return f"{JOBS}{job_id}/"


def image_key(job_id: UUID) -> str:
    """The submitted picture."""
    return f"{job_prefix(job_id)}image"


def artifact_key(job_id: UUID, instance: int, artifact: Artifact) -> str:
    """A picture of one instance."""
    return f"{job_prefix(job_id)}instances/{instance}/{artifact}{artifact.suffix}"


def upload_key(upload_id: UUID) -> str:
    """What a caller has put where it was told to."""
    return f"{UPLOADS}{upload_id}"


def features_key(name: str) -> str:
    """What a model's encoder made of a picture, left by one worker for the others."""
    return f"{FEATURES}{name}"


def earliest_id(moment: datetime) -> UUID:
    """The least UUIDv7 of that moment: ids, and so keys, are in the order of their jobs' submission (RFC 9562)."""
    milliseconds = (moment - EPOCH) // timedelta(milliseconds=1)
    return UUID(int=max(0, milliseconds) << 80)


def submitted_at(job_id: UUID) -> datetime:
    """The moment that a UUIDv7 names, to the millisecond."""
    return EPOCH + timedelta(milliseconds=job_id.int >> 80)
