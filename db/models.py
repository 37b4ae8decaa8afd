"""The tables: jobs, their stages, and the instances that were found."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Enum, Float, ForeignKey, Index, MetaData, String, Text, func, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from db.states import Instances, JobStatus, Outcome, StageName, StageStatus

JSON = dict[str, Any]


class Base(DeclarativeBase):
    """The declarative base; constraints are named by rule, so that migrations can name them too."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads this name from the class
        datetime: DateTime(timezone=True),
        JSON: JSONB(none_as_null=True),
        list[str]: ARRAY(Text),
        list[float]: ARRAY(Float),
    }


def _enum(kind: type[StrEnum], name: str) -> Enum:
    """A text column with a CHECK: unlike a native enum, a value more is an ordinary migration."""
    return Enum(
        kind,
        name=name,
        native_enum=False,
        create_constraint=True,
        length=16,
        values_callable=lambda members: [member.value for member in members],
    )


class Job(Base):
    """One picture with some words; what its caller submitted and where it stands."""

    __tablename__ = "jobs"
    __table_args__ = (Index("ix_jobs_status_id", "status", "id"), Index("ix_jobs_finished_at", "finished_at"))

    id: Mapped[UUID] = mapped_column(primary_key=True)
    status: Mapped[JobStatus] = mapped_column(_enum(JobStatus, "status"), default=JobStatus.QUEUED)
    outcome: Mapped[Outcome | None] = mapped_column(_enum(Outcome, "outcome"))
    error: Mapped[JSON | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    finished_at: Mapped[datetime | None]

    description: Mapped[str | None] = mapped_column(Text)
    labels: Mapped[list[str] | None]
    instances_wanted: Mapped[Instances] = mapped_column(_enum(Instances, "instances_wanted"))
    profile: Mapped[str] = mapped_column(String(32))
    caller_metadata: Mapped[JSON] = mapped_column("metadata")

    image_sha256: Mapped[str] = mapped_column(String(64))
    image_width: Mapped[int]
    image_height: Mapped[int]
    image_bytes: Mapped[int] = mapped_column(BigInteger)

    # "raise": a query says what it loads; a lazy load inside a loop is a mistake, not a default.
    stages: Mapped[list["Stage"]] = relationship(lazy="raise", order_by="Stage.position", passive_deletes=True)
    instances: Mapped[list["Instance"]] = relationship(lazy="raise", order_by="Instance.position", passive_deletes=True)


class Stage(Base):
    """One of a job's three stages: its attempts and its durable result."""

    __tablename__ = "stages"
    # Partial: the sweep looks at what is in flight, however many jobs have ended.
    __table_args__ = (
        Index("ix_stages_running", "lease_expires_at", postgresql_where=text("status = 'running'")),
        Index("ix_stages_queued", "name", "sent_at", postgresql_where=text("status = 'queued'")),
    )

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[StageName] = mapped_column(_enum(StageName, "name"), primary_key=True)
    position: Mapped[int]
    status: Mapped[StageStatus] = mapped_column(_enum(StageStatus, "status"))
    attempts: Mapped[int] = mapped_column(default=0)
    token: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    """The fencing token: each claim raises it, and only its holder may write."""
    worker: Mapped[str | None] = mapped_column(Text)
    """Who holds the claim, for people."""
    lease_expires_at: Mapped[datetime | None]
    """A running stage that is not renewed until then is taken over."""
    due_at: Mapped[datetime | None]
    """A queued stage is not claimed before then."""
    sent_at: Mapped[datetime | None]
    """When a queued stage's message was last sent; the sweep sends those again that seem lost."""
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    error: Mapped[JSON | None]
    result: Mapped[JSON | None]
    model: Mapped[JSON | None]


class Instance(Base):
    """One instance of the main object. Coordinates are pixels of the upright image, boxes XYXY."""

    __tablename__ = "instances"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    label: Mapped[str] = mapped_column(Text)
    box: Mapped[list[float]]
    box_score: Mapped[float]
    mask_box: Mapped[list[float]]
    area: Mapped[int]
    predicted_iou: Mapped[float]
    stability: Mapped[float]
    rle: Mapped[JSON]
    polygons: Mapped[list[list[list[float]]]] = mapped_column(JSONB)
