"""What a list of jobs is asked, and how it answers."""

from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.texts import Text
from api.times import Time
from db.documents import JobDocument
from db.listing import JobFilter
from db.states import JobStatus


class ListQuery(BaseModel):
    """Which jobs, and which page of them."""

    model_config = ConfigDict(extra="forbid")

    status: JobStatus | None = Field(None, description="Only jobs in this state.")
    label: Text | None = Field(None, description="Only jobs whose main object is this.", examples=["snowboard"])
    batch_id: UUID | None = Field(None, description="Only jobs of this batch.")
    created_after: Time | None = Field(None, description="Only jobs submitted at this time or later.")
    created_before: Time | None = Field(None, description="Only jobs submitted before this time.")
    metadata: Text | None = Field(
        None,
        description="Only jobs whose metadata have this key; or `key:value`, with the value as text.",
        examples=["order", "order:7"],
    )
    before: UUID | None = Field(None, description="Only jobs older than this one: `next` of the page before.")
    limit: int = Field(20, ge=1, le=100, description="How many on a page.")

    def filter(self) -> JobFilter:
        """What the database is asked."""
        key, colon, value = (self.metadata or "").partition(":")
        return JobFilter(
            **self.model_dump(exclude={"before", "limit", "metadata"}),
            metadata_key=key if self.metadata is not None else None,
            metadata_value=value if colon else None,
        )


class JobPage(BaseModel):
    """Some jobs, the newest first."""

    jobs: list[JobDocument] = Field(description="As `GET /v1/jobs/{id}` gives them.")
    next: UUID | None = Field(description="Send it as `before` for the next page; null on the last.")
