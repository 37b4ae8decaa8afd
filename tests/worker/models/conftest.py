"""A hub that holds two checkpoints: one in a repository, one a single file."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from db.catalog import CHECKPOINTS
from db.checkpoints import Checkpoint, WebFile
from tests.worker.models.hub import Hub, serving
from tests.worker.pipeline.published import publish
from worker.models import download
from worker.pipeline.model_files import ModelFolder

SLIM = "nielsr/slimsam-77-uniform"
PTH = bytes(range(256)) * 4000


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The hub; nobody pauses between attempts."""
    monkeypatch.setattr(download, "PAUSE_SECONDS", 0.0)
    folder = ModelFolder(tmp_path / "published").of(publish(SLIM, tmp_path / "published"))
    with serving() as server:
        server.repositories[SLIM] = {
            path.name: path.read_bytes() for path in folder.iterdir() if path.name != "SHA256SUMS"
        }
        # What is not for us.
        server.repositories[SLIM] |= {"README.md": b"# SlimSAM", "tf_model.h5": b"TensorFlow", "evil.py": b"import os"}
        server.files["/segment_anything/sam.pth"] = PTH
        yield server


@pytest.fixture
def slim() -> Checkpoint:
    """A checkpoint of the hub's."""
    return CHECKPOINTS[SLIM]


@pytest.fixture
def sam(hub: Hub) -> Checkpoint:
    """One of a single file."""
    source = WebFile(f"{hub.url}/segment_anything/sam.pth", sha256=hashlib.sha256(PTH).hexdigest())
    return replace(CHECKPOINTS["segment-anything/vit-b"], source=source)


@pytest.fixture
def folder(tmp_path: Path) -> ModelFolder:
    """An empty folder of models."""
    return ModelFolder(tmp_path / "models")
