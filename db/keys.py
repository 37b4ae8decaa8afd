"""Where a job's bytes lie in the object storage: all under one prefix, so that they leave together."""

from uuid import UUID


def job_prefix(job_id: UUID) -> str:
    """All that belongs to the job."""
    return f"jobs/{job_id}/"


def image_key(job_id: UUID) -> str:
    """The submitted picture."""
    return f"{job_prefix(job_id)}image"


def artifact_key(job_id: UUID, instance: int, artifact: str) -> str:
    """A picture of one instance: `mask`, `cutout` or `overlay`."""
    return f"{job_prefix(job_id)}instances/{instance}/{artifact}.png"
