"""The settings, read once from `MAINMASK_…` environment variables."""

import re
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from db.image_limits import ImageLimits


def _split(value: object) -> object:
    """What a variable holds, with commas between: easier to write than pydantic's JSON."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


Port = Annotated[int, Field(ge=1, le=65535)]
CommaSeparated = (NoDecode, BeforeValidator(_split))

ADMIN_KEY = re.compile(r"[!-~]{20,}")
"""What fits into a header, and can't be guessed."""


class Settings(BaseSettings):
    """What an operator can set; the unit is in the name. The defaults suit servers on this machine."""

    # A wrong value is named, but not repeated: it may be a secret.
    model_config = SettingsConfigDict(env_prefix="MAINMASK_", frozen=True, hide_input_in_errors=True)

    # Both may hold a password.
    database_url: str = Field("postgresql+psycopg://mainmask@127.0.0.1:5432/mainmask", repr=False)
    redis_url: str = Field("redis://127.0.0.1:6379/0", repr=False)

    auth: bool = True
    """Whether callers need a key. Without, all of them are the tenant `local` and may do everything."""
    admin_key: SecretStr | None = None
    """Opens `/v1/keys` and nothing else, to make the first keys with. Empty is none."""

    s3_endpoint_url: str | None = None
    """None: Amazon's own."""
    s3_public_endpoint_url: str | None = None
    """The address that presigned URLs name, where callers reach the storage by another one than the servers."""
    s3_access_key_id: str | None = None
    s3_secret_access_key: SecretStr | None = None
    s3_bucket: str = "mainmask"
    s3_region: str = "us-east-1"
    presigned_url_seconds: int = 3600

    profile: str = "tiny"
    device: str = "auto"
    """A torch device; `auto` takes CUDA where there is one."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """The precision of the models' matrix products; `auto` takes the fastest that the device computes in hardware."""
    classify_batch_size: int = Field(1, ge=1)
    """Pictures a call of this stage's model, from jobs that are in flight together. More than 1 pays on a GPU; on a
    CPU, and for small models, measure first."""
    detect_batch_size: int = Field(1, ge=1)
    segment_batch_size: int = Field(1, ge=1)
    batch_wait_seconds: float = Field(0.005, ge=0)
    """How long a picture waits for others while the model is free, where batches are larger than 1."""
    image_cache_bytes: int = Field(64 * 1024 * 1024, ge=0)
    """Of decoded pictures, kept from one stage to the next in a worker process."""
    feature_cache_bytes: int = Field(128 * 1024 * 1024, ge=0)
    """Of what the models' encoders made of pictures, kept in a worker process for the next question about them."""
    share_features: bool = False
    """Whether workers leave such features of CLIP and SAM for each other in the object storage, 2 MB a picture."""
    feature_hours: float = Field(24, gt=0)
    """How long they stay there."""
    torch_threads: int = 1
    """CPU threads of one model call. The worker's threads run calls side by side: more than the cores there are, all
    calls together, makes each of them many times slower."""
    worker_ready_file: Path | None = None
    """Touched once the models are loaded and the worker consumes: for supervisors and readiness probes."""

    lease_seconds: float = 6
    """How long a worker may be silent before what it runs is taken over; it renews three times as often."""
    sweep_interval_seconds: float = 2
    resend_after_seconds: float = 10
    """How long a queued stage waits before its message may count as lost."""
    promote_after_seconds: float = 120
    """How long a job may wait behind those of other callers; then it goes first, one at a time."""
    shutdown_grace_seconds: float = 8
    """How long a worker that is asked to stop goes on with what it runs, before it hands that back."""
    retention_hours: float = 24 * 7
    """How long an ended job and its pictures are kept."""

    outgoing_allowed_hosts: Annotated[frozenset[str], *CommaSeparated] = frozenset()
    """What callers' URLs may lead to although it isn't on the public internet: hosts (`minio`), hosts with a port that
    is allowed there besides (`minio:9000`, `[fd00::7]:9000`), and networks (`10.1.0.0/16`). The variable has commas
    between them. Safe by default: none."""
    outgoing_allowed_ports: Annotated[frozenset[Port], *CommaSeparated] = frozenset({80, 443, 8080, 8443})
    """The ports that callers' URLs may name; with commas between them."""

    webhook_deadline_seconds: float = 15
    """How long one attempt to deliver a webhook may take in all."""
    webhook_attempts_per_receiver: int = Field(4, ge=1)
    """How many attempts may run at once against one host and port: a dead one holds no more threads than that."""
    webhook_secret_overlap_hours: float = 24
    """How long a signing secret goes on signing once there is a newer one."""

    maximum_queue_depth: int = Field(100_000, ge=0)
    """How many stages, of all jobs, may wait for a worker before no more jobs are taken; 0 takes none."""
    maximum_image_bytes: int = 32 * 1024 * 1024
    maximum_image_pixels: int = 64_000_000
    maximum_image_side: int = 16_384
    maximum_image_aspect: float = 64
    """The longer side over the shorter one."""
    maximum_image_frames: int = 1000
    """Of an animation, of which the first one is taken."""
    image_fetch_seconds: float = 30
    """How long fetching an `image_url` may take in all."""
    maximum_batch_jobs: int = 500
    maximum_wait_seconds: int = 60
    """The longest `Prefer: wait`."""
    upload_seconds: int = 3600
    """For how long an upload can be filled and used."""
    idempotency_hours: float = 24
    """For how long an `Idempotency-Key` is remembered."""
    maximum_labels: int = 64
    maximum_label_characters: int = 128
    maximum_description_characters: int = 4000
    maximum_metadata_bytes: int = 16 * 1024

    @property
    def image_limits(self) -> ImageLimits:
        """How large a picture may be."""
        return ImageLimits(
            self.maximum_image_pixels, self.maximum_image_side, self.maximum_image_aspect, self.maximum_image_frames
        )

    @field_validator("admin_key")
    @classmethod
    def _check_admin_key(cls, key: SecretStr | None) -> SecretStr | None:
        if key is None or not key.get_secret_value():
            return None
        if not ADMIN_KEY.fullmatch(key.get_secret_value()):
            raise ValueError("must have at least 20 characters, printable ASCII without spaces")
        return key


@lru_cache
def settings() -> Settings:
    """The process's settings; a wrong variable raises pydantic's `ValidationError`, which names it."""
    return Settings()
