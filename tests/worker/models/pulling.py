"""Pulls as tests make them."""

from db.checkpoints import Checkpoint
from tests.worker.models.hub import Hub
from worker.models import download
from worker.models.pull import Puller
from worker.pipeline.model_files import ModelFolder


def silent(_: str) -> download.Progress:
    """A bar that nobody sees."""
    return lambda _done, _total: None


def pull(folder: ModelFolder, hub: Hub, checkpoint: Checkpoint) -> bool:
    """From the hub."""
    return Puller(folder, mirror=hub.url).pull(checkpoint, silent)
