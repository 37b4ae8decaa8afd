"""Checkpoints: whole, of the right architecture and the very ones that were published, or refused."""

import hashlib
import shutil
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from db.catalog import CHECKPOINTS
from db.checkpoints import Checkpoint
from db.errors import CheckpointInvalid
from db.profiles import chosen
from worker.pipeline import model_files
from worker.pipeline.checkpoints import LoadedModel, Loader, card
from worker.pipeline.execution import Execution
from worker.pipeline.model_files import BUNDLED, ModelFolder

EXACT = Execution.choose("cpu", "float32")
TINY = {checkpoint.name: checkpoint for checkpoint in chosen("tiny").values()}


@pytest.fixture(params=TINY)
def model(request: pytest.FixtureRequest) -> Checkpoint:
    """Each of the three bundled models in turn."""
    return TINY[str(request.param)]


@pytest.fixture
def folder(model: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that model's files, to spoil; it is what the loader finds."""
    monkeypatch.setattr(model_files, "BUNDLED", tmp_path)
    name = ModelFolder(tmp_path).of(model).name
    return Path(shutil.copytree(BUNDLED / name, tmp_path / name))


def load(model: Checkpoint, folder: Path) -> LoadedModel:
    """Load that model from the copy."""
    return Loader(ModelFolder(folder.parent), EXACT).load(model)


def test_a_copy_loads(model: Checkpoint, folder: Path) -> None:
    """The files are all that it takes."""
    assert load(model, folder)


def test_weights_that_were_altered_are_refused(model: Checkpoint, folder: Path) -> None:
    """One changed byte in the weights no longer has the published SHA-256."""
    weights = folder / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(CheckpointInvalid, match="SHA-256"):
        load(model, folder)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "SHA256SUMS"])
def test_a_missing_file_is_named(model: Checkpoint, folder: Path, name: str) -> None:
    """A folder without one of its files is refused with a message, not a traceback of a library's."""
    (folder / name).unlink()
    with pytest.raises(CheckpointInvalid):
        load(model, folder)


def test_a_missing_weight_is_refused(model: Checkpoint, folder: Path) -> None:
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
    checkpoint = CHECKPOINTS["mainmask/tiny-sam"]
    files = ModelFolder(Path()).find(checkpoint)
    found = card(checkpoint, files)
    assert (found.name, found.license, found.source_revision) == ("mainmask/tiny-sam", "Apache-2.0", None)
    assert hashlib.sha256(files.weights.read_bytes()).hexdigest().startswith(found.revision)


@pytest.mark.parametrize("name", TINY)
def test_the_table_counts_the_bundled_parameters(name: str) -> None:
    """A checkpoint that is trained anew with other widths needs its line mended."""
    weights = load_file(ModelFolder(Path()).find(TINY[name]).weights)
    loaded = Loader(ModelFolder(Path()), EXACT).load(TINY[name]).stage
    counted = sum(parameter.numel() for parameter in getattr(loaded, "inner", loaded)._model.parameters())
    assert counted == TINY[name].parameters
    assert counted <= sum(weight.numel() for weight in weights.values())


@pytest.mark.parametrize("name", TINY)
def test_the_table_has_the_sums_of_the_bundled_weights(name: str) -> None:
    """Callers are told the sum of the very file; one that is trained anew needs its line mended."""
    assert TINY[name].sha256 == ModelFolder(Path()).find(TINY[name]).sha256


@pytest.mark.skipif(sys.platform != "linux", reason="what is mapped is read where Linux says it")
def test_the_file_of_the_weights_is_let_go(model: Checkpoint, folder: Path) -> None:
    """Half of its pages would stay in memory for nothing, once products are computed in half precision."""
    loaded = load(model, folder)
    assert str(folder) not in Path("/proc/self/maps").read_text()
    assert loaded.card.name == model.name
