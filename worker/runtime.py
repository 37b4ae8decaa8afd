"""What a worker process holds: the models and the connections, built once and shared by its threads."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from sqlalchemy.orm import Session, sessionmaker

from db.session import session_factory
from db.settings import settings
from db.storage import ObjectStore, object_store
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
    )
