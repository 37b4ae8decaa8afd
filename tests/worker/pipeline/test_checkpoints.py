"""Checkpoints: whole, of the right architecture and the very ones that were published, or refused."""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from db.errors import CheckpointInvalid
from worker.pipeline.checkpoints import (
    PROFILES,
    TINY,
    Profile,
    load_classifier,
    load_detector,
    load_segmenter,
)
from worker.pipeline.execution import Execution

CPU = Execution.choose("cpu", "float32")
LOADERS: dict[str, Callable[[Profile, Execution], object]] = {
    "clip": load_classifier,
    "grounding-dino": load_detector,
    "sam": load_segmenter,
}


@pytest.fixture(params=LOADERS)
def model(request: pytest.FixtureRequest) -> str:
    """Each of the three models' folders in turn."""
    return str(request.param)


@pytest.fixture
def folder(model: str, tmp_path: Path) -> Path:
    """A copy of that model's files, to spoil."""
    return Path(shutil.copytree(TINY / model, tmp_path / model))


def load(model: str, folder: Path) -> object:
    """Load that model from this folder instead of the bundled one."""
    field = model.replace("-", "_")
    tiny = PROFILES["tiny"]
    return LOADERS[model](replace(tiny, **{field: replace(getattr(tiny, field), source=folder)}), CPU)


def test_a_copy_loads(model: str, folder: Path) -> None:
    """The files are all that it takes."""
    assert load(model, folder)


def test_weights_that_were_altered_are_refused(model: str, folder: Path) -> None:
    """One changed byte in the weights no longer has the published SHA-256."""
    weights = folder / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(CheckpointInvalid, match="SHA-256"):
        load(model, folder)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "SHA256SUMS"])
def test_a_missing_file_is_named(model: str, folder: Path, name: str) -> None:
    """A folder without one of its files is refused with a message, not a traceback of a library's."""
    (folder / name).unlink()
    with pytest.raises(CheckpointInvalid):
        load(model, folder)


def test_a_missing_weight_is_refused(model: str, folder: Path) -> None:
    """Weights that lack one of the architecture's are never filled up with random numbers."""
    path = folder / "model.safetensors"
    weights = load_file(path)
    del weights[next(name for name in sorted(weights) if name.endswith("weight"))]
    save_file(weights, path, metadata={"format": "pt"})
    (folder / "SHA256SUMS").write_text(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  model.safetensors\n")
    with pytest.raises(CheckpointInvalid):
        load(model, folder)


def test_the_card_names_the_very_weights() -> None:
    """Name, licence, and a revision that is the beginning of the weights' SHA-256."""
    checkpoint = PROFILES["tiny"].sam
    card = checkpoint.card()
    assert card.name == "mainmask/tiny-sam"
    assert checkpoint.sha256().startswith(card.revision)
