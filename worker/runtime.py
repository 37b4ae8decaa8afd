"""What a worker process holds: the models and the connections, built once and shared by its threads."""

import os
import socket
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import lru_cache

import torch
from PIL import Image
from sqlalchemy.orm import Session, sessionmaker

from db import loaded_profiles
from db.claims import Holder
from db.image_limits import ImageLimits
from db.models import JSON
from db.session import session_factory
from db.settings import Settings, settings
from db.states import StageName
from db.storage import ObjectStore, object_store
from worker.candidates.endpoint import Endpoint, EndpointRules
from worker.candidates.nominator import Nominator
from worker.fetcher import Fetcher
from worker.gate import Gate
from worker.leases import Leases
from worker.lending import Lending
from worker.pipeline.batching import BatchLimits
from worker.pipeline.cache import Cache
from worker.pipeline.checkpoints import Loader
from worker.pipeline.encoding import Memory
from worker.pipeline.execution import Execution, keep_freed_memory
from worker.pipeline.labels import LabelExtractor
from worker.pipeline.loaded_models import LoadedModels
from worker.pipeline.model_files import ModelFolder
from worker.pipeline.pipeline import Pipeline
from worker.shared_features import SharedFeatures

PICTURES_AT_ONCE = 8


@dataclass(frozen=True)
class Runtime:
    """All that a stage needs besides its job."""

    pipeline: Pipeline
    nominator: Nominator
    store: ObjectStore
    sessions: sessionmaker[Session]
    image_limits: ImageLimits
    fetch: Callable[[str, str], bytes]
    """The bytes behind a URL of a tenant's; raises what `Fetcher` does."""
    gate: Gate
    """Most stages run side by side; what may have killed a worker, or needs all the memory, runs alone."""
    leases: Leases
    holder: Holder
    profile: str
    maximum_instances: int = 100
    """Of one job, at most."""
    lending: Lending = field(default_factory=Lending)
    images: Cache[Image.Image] = field(default_factory=lambda: image_cache(0))
    """Decoded pictures by their file's SHA-256."""
    pool: Executor = field(default_factory=lambda: ThreadPoolExecutor(PICTURES_AT_ONCE, "pictures"))
    """Encodes and stores pictures, while the stage goes on."""

    def announce(self) -> None:
        """Say which models this process answers with."""
        with self.sessions.begin() as session:
            loaded_profiles.announce(session, self.profile, *self._models())

    def confirm(self) -> None:
        """Say that it still does."""
        with self.sessions.begin() as session:
            loaded_profiles.confirm(session, self.profile, *self._models())

    def _models(self) -> tuple[dict[str, JSON], dict[str, JSON]]:
        """Its own by stage, and those that it lends by name."""
        return {name: asdict(card) for name, card in self.pipeline.cards.items()}, self.lending.cards()


def reader(config: Settings) -> Endpoint | None:
    """The language model that reads descriptions, where the operator has one."""
    if not config.candidates_url:
        return None
    return Endpoint(
        EndpointRules(
            url=str(config.candidates_url),
            model=config.candidates_model,
            key=config.candidates_key.get_secret_value() if config.candidates_key else None,
            timeout_seconds=config.candidates_timeout_seconds,
            maximum_tokens=config.candidates_maximum_tokens,
            maximum_characters=config.candidates_maximum_characters,
            calls_per_minute=config.candidates_calls_per_minute,
            remembered=config.candidates_remembered,
        )
    )


@lru_cache
def runtime() -> Runtime:
    """The process's runtime; the first call loads the models, which takes seconds."""
    config = settings()
    torch.set_num_threads(config.torch_threads)
    keep_freed_memory()
    loader = Loader(ModelFolder(config.models_dir), execution(config))
    models = LoadedModels(loader.only_compiling(config.checkpoints.values()), config.maximum_loaded_models)
    lending = Lending.of(config.lent_checkpoints.values(), loader.folder, models)
    pipeline = Pipeline.of(config.checkpoints, models.keep)
    pipeline.warm_up()
    return Runtime(
        pipeline=pipeline,
        nominator=Nominator(LabelExtractor(), reader(config)),
        store=object_store(),
        sessions=session_factory(),
        image_limits=config.image_limits,
        fetch=Fetcher.of(config),
        gate=Gate(),
        leases=Leases(session_factory(), config.lease_seconds),
        holder=holder(config),
        profile=config.profile,
        maximum_instances=config.maximum_instances,
        lending=lending,
        images=image_cache(config.image_cache_bytes),
    )


def holder(config: Settings) -> Holder:
    """This process, as claims name it."""
    return Holder(f"{socket.gethostname()}:{os.getpid()}", config.lease_seconds)


def execution(config: Settings) -> Execution:
    """How the settings want the models to run."""
    store = SharedFeatures(object_store()) if config.share_features else None
    limits: dict[str, BatchLimits] = {
        StageName.CLASSIFY: BatchLimits(config.classify_batch_size, config.classify_batch_wait_seconds),
        StageName.DETECT: BatchLimits(config.detect_batch_size, config.detect_batch_wait_seconds),
        StageName.SEGMENT: BatchLimits(config.segment_batch_size, config.segment_batch_wait_seconds),
    }
    memory = Memory.of(config.feature_cache_bytes, store)
    return Execution.choose(config.device, config.dtype, memory, limits, compiles=config.compile_encoders)


def image_cache(maximum_bytes: int) -> Cache[Image.Image]:
    """For RGB pictures of so many bytes in all."""
    return Cache("images", maximum_bytes, lambda image: 3 * image.width * image.height)
