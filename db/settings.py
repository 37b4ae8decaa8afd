"""The settings, read once from `MAINMASK_…` environment variables."""

import os
import re
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AnyHttpUrl, BeforeValidator, Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from db.catalog import CHECKPOINTS, find_checkpoint
from db.checkpoints import Checkpoint
from db.errors import UnknownModel, UnknownProfile
from db.image_limits import ImageLimits
from db.profiles import chosen, find_profile
from db.states import StageName


def _split(value: object) -> object:
    """What a variable holds, with commas between: easier to write than pydantic's JSON."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


Port = Annotated[int, Field(ge=1, le=65535)]
CommaSeparated = (NoDecode, BeforeValidator(_split))

ADMIN_KEY = re.compile(r"[!-~]{20,}")
"""What fits into a header, and can't be guessed."""


class LogFormat(StrEnum):
    """How lines of the log look."""

    AUTO = "auto"
    JSON = "json"
    CONSOLE = "console"


def default_models_dir() -> Path:
    """In the user's cache: the files can be fetched again (XDG base directories)."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "mainmask" / "models"


class Settings(BaseSettings):
    """What an operator can set; the unit is in the name. The defaults suit servers on this machine."""

    # A wrong value is named, but not repeated: it may be a secret.
    # The docstrings become the fields' descriptions, and docs/settings.md.
    model_config = SettingsConfigDict(
        env_prefix="MAINMASK_", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True
    )

    # Both may hold a password.
    database_url: str = Field("postgresql+psycopg://mainmask@127.0.0.1:5432/mainmask", repr=False)
    """Where Postgres is; libpq's parameters may follow, such as `?sslmode=verify-full`."""
    redis_url: str = Field("redis://127.0.0.1:6379/0", repr=False)
    """Where Redis is; `rediss://` is with TLS."""

    auth: bool = True
    """Whether callers need a key. Without, all of them are the tenant `local` and may do everything."""
    admin_key: SecretStr | None = None
    """Opens `/v1/keys` and nothing else, to make the first keys with. Empty is none."""

    s3_endpoint_url: str | None = None
    """None: Amazon's own."""
    s3_public_endpoint_url: str | None = None
    """The address that presigned URLs name, where callers reach the storage by another one than the servers."""
    s3_access_key_id: str | None = None
    """None, with the next one: as boto3 finds them, for example a role of the machine's."""
    s3_secret_access_key: SecretStr | None = None
    """With the key's id."""
    s3_bucket: str = "mainmask"
    """It must be there; nothing makes it."""
    s3_region: str = "us-east-1"
    """What requests are signed for."""
    presigned_url_seconds: int = 3600
    """How long the URLs of pictures in documents can be used."""

    flower_url: AnyHttpUrl | None = None
    """Where the page's readers reach Flower; without it, the page doesn't lead there."""

    pages: bool = True
    """Whether everyone who reaches the API may see the page, `/docs` and `/openapi.json`; else they are not found."""

    profile: str = "tiny"
    """Which models answer: `tiny`, `base` or `large`."""
    classify_model: str | None = None
    """Instead of the profile's; a name of the table, see docs/models.md."""
    detect_model: str | None = None
    """The same for boxes."""
    segment_model: str | None = None
    """The same for masks."""
    allowed_models: Annotated[frozenset[str], *CommaSeparated] = frozenset()
    """Which models a job may ask for besides; with commas between them. A worker needs all of them on its disk."""
    maximum_loaded_models: int = Field(6, ge=3)
    """How many models a worker keeps loaded; that of least use makes room."""
    models_dir: Path = Field(default_factory=default_models_dir)
    """Where `mainmask models pull` puts what it fetches."""
    models_mirror: AnyHttpUrl | None = None
    """A base URL to fetch models from: it answers for the Hugging Face hub, and has the paths of other sites' files."""
    models_offline: bool = False
    """Never ask the network for models. The workers never do."""
    device: str = "auto"
    """A torch device; `auto` takes CUDA where there is one."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """The precision of the models' matrix products; `auto` takes the fastest that the device computes in hardware."""
    compile_encoders: bool = False
    """Have the image encoders of CLIP and SAM compiled, where a race as the worker starts shows a gain: by PyTorch,
    which takes a C++ compiler (on a GPU a C compiler) and a minute or two at the first start, and on a CPU by OpenVINO
    where it is installed (`mainmask[openvino]`)."""
    classify_batch_size: int = Field(1, ge=1)
    """Pictures a call of this stage's model, from jobs that are in flight together. More than 1 pays on a GPU; on a
    CPU, and for small models, measure first."""
    classify_batch_wait_seconds: float = Field(0.005, ge=0)
    """How long a picture waits for others while the stage's model is free, where its batches are larger than 1."""
    detect_batch_size: int = Field(1, ge=1)
    """The same for boxes."""
    detect_batch_wait_seconds: float = Field(0.005, ge=0)
    """The same for boxes."""
    segment_batch_size: int = Field(1, ge=1)
    """The same for masks."""
    segment_batch_wait_seconds: float = Field(0.005, ge=0)
    """The same for masks."""
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

    log_format: LogFormat = LogFormat.AUTO
    """`json`, `console`, or `auto`: for the console where standard error is one, else JSON."""
    metrics_token: SecretStr | None = None
    """What `/metrics` asks for as a bearer token, here and in the workers. Empty is none: whoever gets there reads."""
    metrics_port: Port | None = None
    """Where processes that are no API serve their metrics; None: they don't."""
    metrics_host: str = "127.0.0.1"
    """The address that they listen on."""

    lease_seconds: float = 6
    """How long a worker may be silent before what it runs is taken over; it renews three times as often."""
    sweep_interval_seconds: float = 2
    """How often `beat` has maintenance look for lost workers, lost messages and due webhooks."""
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
    webhook_attempts_per_tenant: int = Field(8, ge=1)
    """How many attempts may run at once for one tenant, whatever its receivers."""
    webhook_repeats_at_once: int = Field(16, ge=1)
    """How many repeated attempts one process runs at once: fewer than its threads, so that first ones find some."""
    webhook_secret_overlap_hours: float = 24
    """How long a signing secret goes on signing once there is a newer one."""

    maximum_queue_depth: int = Field(100_000, ge=0)
    """How many stages, of all jobs, may wait for a worker before no more jobs are taken; 0 takes none."""
    maximum_image_bytes: int = 32 * 1024 * 1024
    """Of its file; a request may have a third more, for base64."""
    maximum_image_pixels: int = 64_000_000
    """Width times height."""
    maximum_image_side: int = 16_384
    """In pixels."""
    maximum_image_aspect: float = 64
    """The longer side over the shorter one."""
    maximum_image_frames: int = 1000
    """Of an animation, of which the first one is taken."""
    image_fetch_seconds: float = 30
    """How long fetching an `image_url` may take in all."""
    image_fetches_at_once: int = Field(2, ge=1)
    """How many of one worker's threads may fetch: about half of its `--concurrency`. One tenant has half of these."""
    maximum_batch_jobs: int = 500
    """Of one request."""
    maximum_wait_seconds: int = 60
    """The longest `Prefer: wait`."""
    upload_seconds: int = 3600
    """For how long an upload can be filled and used."""
    maximum_open_uploads: int = Field(1000, ge=1)
    """How many uploads that haven't expired one tenant may have."""
    idempotency_hours: float = 24
    """For how long an `Idempotency-Key` is remembered."""
    maximum_labels: int = 64
    """Of one job."""
    maximum_label_characters: int = 128
    """Of each."""
    maximum_description_characters: int = 4000
    """Of one job."""
    candidates_url: AnyHttpUrl | None = Field(None, repr=False)
    """The base URL of an OpenAI-compatible API that names what descriptions are about, such as
    `http://ollama:11434/v1`. Without, and whenever it fails, the worker reads them itself (English only)."""
    candidates_model: str = ""
    """Its model's name there; needed with the URL."""
    candidates_key: SecretStr | None = None
    """Sent as a bearer token."""
    candidates_timeout_seconds: float = Field(10, gt=0, le=60)
    """Of all attempts together; a job waits for it."""
    candidates_maximum_tokens: int = Field(500, ge=1)
    """Of an answer. With the next two it bounds the cost."""
    candidates_maximum_characters: int = Field(2000, ge=0)
    """Of a description that is sent; the worker reads longer ones itself."""
    candidates_calls_per_minute: int = Field(60, ge=0)
    """Of each worker process; over that it reads descriptions itself."""
    candidates_remembered: int = Field(4096, ge=1)
    """How many descriptions' answers a worker process keeps."""
    maximum_instances: int = Field(100, ge=1)
    """Of one job with `instances: all`, the best ones; each is a mask, and pictures of its own."""
    maximum_metadata_bytes: int = 16 * 1024
    """Of one job, as JSON."""

    @property
    def image_limits(self) -> ImageLimits:
        """How large a picture may be."""
        return ImageLimits(
            self.maximum_image_pixels,
            self.maximum_image_side,
            self.maximum_image_aspect,
            self.maximum_image_frames,
            self.maximum_image_bytes,
        )

    @property
    def checkpoints(self) -> dict[StageName, Checkpoint]:
        """The models that answer where a job names no other one."""
        names = (self.classify_model, self.detect_model, self.segment_model)
        return chosen(self.profile, dict(zip(StageName, names, strict=True)))

    @property
    def lent_checkpoints(self) -> dict[str, Checkpoint]:
        """Those that a job may name, by name."""
        return {name: CHECKPOINTS[name] for name in sorted(self.allowed_models)}

    @field_validator("profile")
    @classmethod
    def _check_profile(cls, name: str) -> str:
        try:
            return find_profile(name).name
        except UnknownProfile as error:
            raise ValueError(str(error)) from error

    @field_validator("classify_model", "detect_model", "segment_model")
    @classmethod
    def _check_model(cls, name: str | None, field: ValidationInfo) -> str | None:
        if not name:
            return None
        try:
            return find_checkpoint(name, StageName(str(field.field_name).removesuffix("_model"))).name
        except UnknownModel as error:
            raise ValueError(str(error)) from error

    @field_validator("allowed_models")
    @classmethod
    def _check_allowed_models(cls, names: frozenset[str]) -> frozenset[str]:
        if unknown := sorted(names - CHECKPOINTS.keys()):
            raise ValueError(f"there is no model {unknown[0]!r}; there are: {', '.join(CHECKPOINTS)}")
        return names

    @field_validator(
        "metrics_token", "metrics_port", "models_mirror", "candidates_url", "candidates_key", mode="before"
    )
    @classmethod
    def _take_empty_for_none(cls, value: object) -> object:
        return value or None

    @field_validator("models_dir", mode="before")
    @classmethod
    def _take_empty_for_the_default(cls, value: object) -> object:
        return value or default_models_dir()

    @model_validator(mode="after")
    def _check_candidates(self) -> "Settings":
        if self.candidates_url and not self.candidates_model:
            raise ValueError("MAINMASK_CANDIDATES_URL needs MAINMASK_CANDIDATES_MODEL")
        return self

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
