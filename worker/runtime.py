"""What a worker process holds: the models and the connections, built once and shared by its threads."""

import os
import socket
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import lru_cache

import torch
from sqlalchemy.orm import Session, sessionmaker

from db import profiles
from db.claims import Holder
from db.image_limits import ImageLimits
from db.session import session_factory
from db.settings import Settings, settings
from db.storage import ObjectStore, object_store
from worker.candidates.endpoint import Endpoint, EndpointRules
from worker.candidates.nominator import Nominator
from worker.fetcher import Fetcher
from worker.gate import Gate
from worker.leases import Leases
from worker.lending import Lending
from worker.pipeline.checkpoints import Loader, choose_device
from worker.pipeline.labels import LabelExtractor
from worker.pipeline.loaded_models import LoadedModels
from worker.pipeline.model_files import ModelFolder
from worker.pipeline.pipeline import Pipeline


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

    def announce(self) -> None:
        """Say which models this process answers with."""
        models = {name: asdict(card) for name, card in self.pipeline.cards.items()}
        with self.sessions.begin() as session:
            profiles.announce(session, self.profile, models, self.lending.cards())


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
    loader = Loader(ModelFolder(config.models_dir), choose_device(config.device))
    models = LoadedModels(loader.load, config.maximum_loaded_models)
    lending = Lending.of(config.lent_checkpoints.values(), loader.folder, models)
    pipeline = Pipeline.of(config.checkpoints, models.get)
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
        holder=Holder(f"{socket.gethostname()}:{os.getpid()}", config.lease_seconds),
        profile=config.profile,
        maximum_instances=config.maximum_instances,
        lending=lending,
    )
