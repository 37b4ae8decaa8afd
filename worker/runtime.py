"""What a worker process holds: the models and the connections, built once and shared by its threads."""

import os
import socket
from dataclasses import dataclass
from functools import lru_cache

import torch
from sqlalchemy.orm import Session, sessionmaker

from db.claims import Holder
from db.session import session_factory
from db.settings import settings
from db.storage import ObjectStore, object_store
from worker.gate import Gate
from worker.leases import Leases
from worker.pipeline.labels import LabelExtractor
from worker.pipeline.pipeline import Pipeline


@dataclass(frozen=True)
class Runtime:
    """All that a stage needs besides its job."""

    pipeline: Pipeline
    extractor: LabelExtractor
    store: ObjectStore
    sessions: sessionmaker[Session]
    maximum_image_pixels: int
    gate: Gate
    """Most stages run side by side; what may have killed a worker, or needs all the memory, runs alone."""
    leases: Leases
    holder: Holder


@lru_cache
def runtime() -> Runtime:
    """The process's runtime; the first call loads the models, which takes seconds."""
    config = settings()
    torch.set_num_threads(config.torch_threads)
    return Runtime(
        pipeline=Pipeline.load(config.profile, config.device),
        extractor=LabelExtractor(),
        store=object_store(),
        sessions=session_factory(),
        maximum_image_pixels=config.maximum_image_pixels,
        gate=Gate(),
        leases=Leases(session_factory(), config.lease_seconds),
        holder=Holder(f"{socket.gethostname()}:{os.getpid()}", config.lease_seconds),
    )
