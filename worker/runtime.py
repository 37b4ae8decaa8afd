"""What a worker process holds: the models and the connections, built once and shared by its threads."""

import os
import socket
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache

import torch
from sqlalchemy.orm import Session, sessionmaker

from db import profiles
from db.claims import Holder
from db.image_limits import ImageLimits
from db.session import session_factory
from db.settings import Settings, settings
from db.storage import ObjectStore, object_store
from worker.gate import Gate
from worker.leases import Leases
from worker.outgoing.client import OutgoingClient
from worker.outgoing.rules import Rules
from worker.pipeline.execution import keep_freed_memory
from worker.pipeline.labels import LabelExtractor
from worker.pipeline.pipeline import Pipeline


@dataclass(frozen=True)
class Runtime:
    """All that a stage needs besides its job."""

    pipeline: Pipeline
    extractor: LabelExtractor
    store: ObjectStore
    sessions: sessionmaker[Session]
    image_limits: ImageLimits
    fetch: Callable[[str], bytes]
    """The bytes behind a caller's URL; raises `UrlRefused`, `FetchFailed`, `FetchUnavailable` or `FetchTooLarge`."""
    gate: Gate
    """Most stages run side by side; what may have killed a worker, or needs all the memory, runs alone."""
    leases: Leases
    holder: Holder
    profile: str

    def announce(self) -> None:
        """Say which models this process answers with."""
        models = {name: asdict(card) for name, card in self.pipeline.cards.items()}
        with self.sessions.begin() as session:
            profiles.announce(session, self.profile, models)


def fetcher(config: Settings) -> Callable[[str], bytes]:
    """The guarded client, within the limits of submissions."""
    client = OutgoingClient(Rules.of(config.outgoing_allowed_hosts, config.outgoing_allowed_ports))

    def fetch(url: str) -> bytes:
        seconds = config.image_fetch_seconds
        return client.fetch(url, maximum_bytes=config.maximum_image_bytes, deadline_seconds=seconds).content

    return fetch


@lru_cache
def runtime() -> Runtime:
    """The process's runtime; the first call loads the models, which takes seconds."""
    config = settings()
    torch.set_num_threads(config.torch_threads)
    keep_freed_memory()
    return Runtime(
        pipeline=Pipeline.load(config.profile, config.device, config.dtype),
        extractor=LabelExtractor(),
        store=object_store(),
        sessions=session_factory(),
        image_limits=config.image_limits,
        fetch=fetcher(config),
        gate=Gate(),
        leases=Leases(session_factory(), config.lease_seconds),
        holder=Holder(f"{socket.gethostname()}:{os.getpid()}", config.lease_seconds),
        profile=config.profile,
    )
