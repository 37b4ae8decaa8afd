"""The tables."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    DateTime,
    Enum,
    Float,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from db.states import (
    DeliveryStatus,
    Event,
    Instances,
    JobStatus,
    OnMissing,
    Outcome,
    Priority,
    StageName,
    StageStatus,
)

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


_TENANT = String(64)


class Job(Base):
    """One picture with some words; what its caller submitted and where it stands."""

    __tablename__ = "jobs"
    __table_args__ = (
        Index("ix_jobs_tenant_id", "tenant", "id"),
        Index("ix_jobs_tenant_status_id", "tenant", "status", "id"),
        Index("ix_jobs_tenant_label_id", "tenant", "label", "id", postgresql_where=text("label IS NOT NULL")),
        Index("ix_jobs_in_flight", "tenant", postgresql_where=text("status IN ('queued', 'running')")),
        Index("ix_jobs_reuse_key", "reuse_key", postgresql_where=text("status = 'succeeded'")),
        Index("ix_jobs_batch_id", "batch_id", postgresql_where=text("batch_id IS NOT NULL")),
        Index("ix_jobs_metadata", "metadata", postgresql_using="gin"),
        Index("ix_jobs_finished_at", "finished_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(_TENANT)
    """Whose it is: nobody else sees it."""
    batch_id: Mapped[UUID | None] = mapped_column(ForeignKey("batches.id", ondelete="SET NULL"))
    status: Mapped[JobStatus] = mapped_column(_enum(JobStatus, "status"), default=JobStatus.QUEUED)
    outcome: Mapped[Outcome | None] = mapped_column(_enum(Outcome, "outcome"))
    label: Mapped[str | None] = mapped_column(Text)
    """The main object's, once it is chosen for good."""
    error: Mapped[JSON | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    finished_at: Mapped[datetime | None]

    description: Mapped[str | None] = mapped_column(Text)
    labels: Mapped[list[str] | None]
    instances_wanted: Mapped[Instances] = mapped_column(_enum(Instances, "instances_wanted"))
    profile: Mapped[str] = mapped_column(String(32))
    models: Mapped[JSON | None]
    """By stage, the names of those that the caller wants instead of the profile's; None: none."""
    outputs: Mapped[list[str]]
    """The artifacts to make."""
    box_threshold: Mapped[float | None]
    """The least box score that the caller takes; else the profile's own."""
    on_missing: Mapped[OnMissing] = mapped_column(_enum(OnMissing, "on_missing"))
    priority: Mapped[Priority] = mapped_column(_enum(Priority, "priority"))
    caller_metadata: Mapped[JSON] = mapped_column("metadata")
    webhook_url: Mapped[str | None] = mapped_column(Text)
    webhook_events: Mapped[list[str] | None]
    """None: all."""
    reuse: Mapped[bool] = mapped_column(server_default=text("true"))
    """Whether an earlier job's answer will do; asked by the worker where it comes to know the image first."""
    reuse_key: Mapped[str | None] = mapped_column(String(64))
    """Hash of all that the answer depends on but the models: equal keys, equal answers."""
    reused_from: Mapped[UUID | None]
    """The job whose answer this one was given."""
    traceparent: Mapped[str | None] = mapped_column(String(55))
    """Its request's span, by W3C Trace Context: what its stages and webhooks continue; None: nobody traces it."""

    image_url: Mapped[str | None] = mapped_column(Text)
    """Where a worker fetches the image from; None when it came with the submission."""
    # Unknown until the image has been fetched.
    image_sha256: Mapped[str | None] = mapped_column(String(64))
    image_width: Mapped[int | None]
    image_height: Mapped[int | None]
    image_bytes: Mapped[int | None] = mapped_column(BigInteger)

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
        Index("ix_stages_line", "name", "priority", "due_at", postgresql_where=text("status = 'queued'")),
    )

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[StageName] = mapped_column(_enum(StageName, "name"), primary_key=True)
    position: Mapped[int]
    status: Mapped[StageStatus] = mapped_column(_enum(StageStatus, "status"))
    attempts: Mapped[int] = mapped_column(default=0)
    priority: Mapped[int] = mapped_column(SmallInteger, default=0)
    """Of its messages: the lower, the sooner. Stages after the first are 0: what is begun is finished first."""
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

    @property
    def duration_ms(self) -> int | None:
        """Of the last attempt, from its claim to its end; None before."""
        if self.started_at is None or self.finished_at is None:
            return None
        return round((self.finished_at - self.started_at).total_seconds() * 1000)


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


class Batch(Base):
    """Jobs that were submitted in one call."""

    __tablename__ = "batches"
    __table_args__ = (Index("ix_batches_tenant_id", "tenant", "id"), Index("ix_batches_finished_at", "finished_at"))

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(_TENANT)
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    finished_at: Mapped[datetime | None]
    total: Mapped[int]
    remaining: Mapped[int]
    """Jobs that haven't ended; counted down as they end."""
    caller_metadata: Mapped[JSON] = mapped_column("metadata")
    webhook_url: Mapped[str | None] = mapped_column(Text)


class Upload(Base):
    """A place in the object storage that a caller may PUT one picture to."""

    __tablename__ = "uploads"
    __table_args__ = (Index("ix_uploads_expires_at", "expires_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(_TENANT)
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    expires_at: Mapped[datetime]


class IdempotentAnswer(Base):
    """The first answer to a request with an `Idempotency-Key`."""

    __tablename__ = "idempotent_answers"
    __table_args__ = (Index("ix_idempotent_answers_expires_at", "expires_at"),)

    tenant: Mapped[str] = mapped_column(_TENANT, primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    request_sha256: Mapped[str] = mapped_column(String(64))
    status: Mapped[int]
    location: Mapped[str]
    body: Mapped[JSON]
    expires_at: Mapped[datetime]


class ApiKey(Base):
    """What a caller proves itself with. The secret is shown once; only its hash is kept."""

    __tablename__ = "api_keys"
    __table_args__ = (Index("ix_api_keys_tenant", "tenant"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(_TENANT)
    name: Mapped[str] = mapped_column(Text)
    secret_sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    scopes: Mapped[list[str]]
    requests_per_minute: Mapped[int | None]
    jobs_in_flight: Mapped[int | None]
    bytes_per_day: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    revoked_at: Mapped[datetime | None]


class SigningSecret(Base):
    """What a tenant's webhooks are signed with. While one is rotated there are two, and both sign."""

    __tablename__ = "signing_secrets"
    __table_args__ = (Index("ix_signing_secrets_tenant", "tenant"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(_TENANT)
    secret: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    expires_at: Mapped[datetime | None]


class Delivery(Base):
    """One event on its way to one receiver. Its id is the `webhook-id` of every attempt."""

    __tablename__ = "deliveries"
    __table_args__ = (
        Index("ix_deliveries_due", "due_at", postgresql_where=text("status = 'pending'")),
        Index("ix_deliveries_line", "receiver", "attempts", "due_at", postgresql_where=text("status = 'pending'")),
        Index("ix_deliveries_tenant_line", "tenant", "attempts", "due_at", postgresql_where=text("status = 'pending'")),
        Index("ix_deliveries_tenant_id", "tenant", "id"),
        Index("ix_deliveries_tenant_status_id", "tenant", "status", "id"),
        Index("ix_deliveries_in_flight", "receiver", postgresql_where=text("lease_expires_at IS NOT NULL")),
        Index("ix_deliveries_job_id", "job_id"),
        Index("ix_deliveries_batch_id", "batch_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(_TENANT)
    job_id: Mapped[UUID | None] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    batch_id: Mapped[UUID | None] = mapped_column(ForeignKey("batches.id", ondelete="CASCADE"))
    event: Mapped[Event] = mapped_column(_enum(Event, "event"))
    url: Mapped[str] = mapped_column(Text)
    receiver: Mapped[str] = mapped_column(Text)
    """Host and port of the URL: what is slow or dead is one receiver, whatever its paths."""
    status: Mapped[DeliveryStatus] = mapped_column(_enum(DeliveryStatus, "status"))
    reason: Mapped[str | None] = mapped_column(Text)
    """Why it is given up."""
    attempts: Mapped[int] = mapped_column(default=0)
    token: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    """The fencing token, as of stages."""
    lease_expires_at: Mapped[datetime | None]
    """Set while an attempt runs."""
    due_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    """When its message was sent, until it is taken; None: it waits in its receiver's line."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    finished_at: Mapped[datetime | None]

    tries: Mapped[list["DeliveryAttempt"]] = relationship(
        lazy="raise", order_by="DeliveryAttempt.number", passive_deletes=True
    )


class DeliveryAttempt(Base):
    """One attempt to deliver, as it went."""

    __tablename__ = "delivery_attempts"

    delivery_id: Mapped[UUID] = mapped_column(ForeignKey("deliveries.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    started_at: Mapped[datetime]
    duration_ms: Mapped[int | None]
    """None while it runs, and where the process that ran it was lost."""
    status_code: Mapped[int | None]
    answer: Mapped[str | None] = mapped_column(Text)
    """The first bytes of it, as text."""
    error: Mapped[str | None] = mapped_column(Text)


class DisabledReceiver(Base):
    """A URL that answered 410 Gone: nothing more is sent there, until a redelivery succeeds."""

    __tablename__ = "disabled_receivers"

    tenant: Mapped[str] = mapped_column(_TENANT, primary_key=True)
    url: Mapped[str] = mapped_column(Text, primary_key=True)
    since: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class LoadedProfile(Base):
    """The models that workers have loaded under a profile's name: what an answer will come from."""

    __tablename__ = "loaded_profiles"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    models: Mapped[JSON]
    """From a stage's name to its model's name, revision and licence."""
    lent: Mapped[JSON] = mapped_column(server_default=text("'{}'"))
    """The models that jobs may ask for besides: from a model's name to the same."""
    seen_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
