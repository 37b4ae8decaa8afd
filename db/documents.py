"""The documents of jobs and batches: what every answer of the API, and every webhook, says of them.

Built here and nowhere else.
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from db.keys import image_key
from db.models import Batch, Job, Stage
from db.outlook import Outlook
from db.result_documents import ResultDocument, UrlSigner, result_document
from db.states import (
    Artifact,
    Instances,
    JobStatus,
    OnMissing,
    Priority,
    StageName,
    StageStatus,
)


class ErrorDocument(BaseModel):
    """Why a stage or a job failed."""

    type: str = Field(examples=["invalid-image"], description="Stable code of the cause.")
    message: str = Field(description="What is wrong, for people.", examples=["The image can't be read: it is empty."])


class JobErrorDocument(ErrorDocument):
    """Why the job failed, and at which stage."""

    stage: StageName


class ImageDocument(BaseModel):
    """The submitted picture, measured upright; null until a picture that was given by its URL has been fetched."""

    url: str | None = Field(description="Where it is fetched from; null when it came with the submission.")
    stored_url: str | None = Field(description="A presigned URL of the picture as it is stored.")
    sha256: str | None = Field(description="Of the file, in hexadecimal.")
    width: int | None = Field(description="In pixels.", examples=[900])
    height: int | None = Field(description="In pixels.", examples=[600])


class InputDocument(BaseModel):
    """What was submitted."""

    image: ImageDocument
    description: str | None = Field(description="Null where labels came instead.", examples=["a cat on the sofa"])
    labels: list[str] | None = Field(description="Null where a description came instead.", examples=[["cat", "sofa"]])
    instances: Instances
    outputs: list[Artifact] = Field(description="The pictures that were asked for.")
    profile: str = Field(description="The models that go together.", examples=["base"])
    models: dict[StageName, str] | None = Field(description="Those that were asked for instead of the profile's.")
    priority: Priority
    box_threshold: float | None = Field(description="The least box score to take; null for the models' own rule.")
    on_missing: OnMissing = Field(description="What to do where the chosen candidate isn't found.")


class StageDocument(BaseModel):
    """One stage's progress."""

    name: StageName
    status: StageStatus
    attempts: int = Field(description="How many were begun; those that waited for room are none.")
    duration_ms: int | None = Field(description="Of the last attempt, from its claim to its end.")
    error: ErrorDocument | None = Field(description="Of the last attempt that failed.")


class OutlookDocument(BaseModel):
    """What a job that waits has before it, by the pace of the last minutes."""

    position: int = Field(description="How many jobs come first; at most 10,000 are counted.")
    seconds_left: float | None = Field(description="Until its end, roughly; null where nothing has ended of late.")


class JobDocument(BaseModel):
    """A job: what was submitted, where it stands, and its answer."""

    id: UUID = Field(description="UUIDv7: in the order of submission.")
    status: JobStatus
    created_at: datetime = Field(description="When it was submitted.")
    finished_at: datetime | None = Field(description="When it ended; null until then.")
    outlook: OutlookDocument | None = Field(
        description="Of a queued job that is asked for by its id; null in lists, in webhooks, and for all other jobs."
    )
    input: InputDocument
    stages: list[StageDocument] = Field(description="In the order in which they run.")
    result: ResultDocument | None = Field(description="The answer; null unless the job has succeeded.")
    error: JobErrorDocument | None = Field(description="Null unless the job has failed.")
    batch_id: UUID | None = Field(description="The batch that it was submitted with.")
    reused_from: UUID | None = Field(description="The job whose answer to the same question this is.")
    metadata: dict[str, Any] = Field(description="Yours.", examples=[{"order": 7}])


class BatchDocument(BaseModel):
    """A batch: how far its jobs are. List them by `GET /v1/jobs?batch_id=…`."""

    id: UUID = Field(description="UUIDv7: in the order of submission.")
    created_at: datetime = Field(description="When it was submitted.")
    finished_at: datetime | None = Field(description="When the last of its jobs ended.")
    total: int = Field(description="How many jobs it has.")
    counts: dict[JobStatus, int] = Field(description="How many of its jobs are in each state.")
    metadata: dict[str, Any] = Field(description="Yours.", examples=[{"order": 7}])


def batch_document(batch: Batch, counts: Mapping[JobStatus, int]) -> BatchDocument:
    """The document of a batch, with its `db.batches.counts`."""
    return BatchDocument(
        id=batch.id,
        created_at=batch.created_at,
        finished_at=batch.finished_at,
        total=batch.total,
        counts=dict(counts),
        metadata=batch.caller_metadata,
    )


def job_document(job: Job, signer: UrlSigner, outlook: Outlook | None = None) -> JobDocument:
    """The document of a job that was loaded with its stages and instances."""
    return JobDocument(
        id=job.id,
        status=job.status,
        created_at=job.created_at,
        finished_at=job.finished_at,
        outlook=OutlookDocument(**asdict(outlook)) if outlook else None,
        input=InputDocument(
            image=ImageDocument(
                url=job.image_url,
                stored_url=signer.url(image_key(job.id)) if job.image_sha256 else None,
                sha256=job.image_sha256,
                width=job.image_width,
                height=job.image_height,
            ),
            description=job.description,
            labels=job.labels,
            instances=job.instances_wanted,
            outputs=[Artifact(name) for name in job.outputs],
            profile=job.profile,
            models=job.models,
            priority=job.priority,
            box_threshold=job.box_threshold,
            on_missing=job.on_missing,
        ),
        stages=[_stage(stage) for stage in job.stages],
        result=result_document(job, signer) if job.outcome else None,
        error=JobErrorDocument.model_validate(job.error) if job.error else None,
        batch_id=job.batch_id,
        reused_from=job.reused_from,
        metadata=job.caller_metadata,
    )


def _stage(stage: Stage) -> StageDocument:
    return StageDocument(
        name=stage.name,
        status=stage.status,
        attempts=stage.attempts,
        duration_ms=stage.duration_ms,
        error=ErrorDocument.model_validate(stage.error) if stage.error else None,
    )
