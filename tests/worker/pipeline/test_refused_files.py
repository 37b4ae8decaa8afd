"""Files that are no checkpoints, or more than that: refused with a clear error, and nothing of them is run."""

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from db.catalog import CHECKPOINTS
from db.checkpoints import WebFile
from db.errors import CheckpointInvalid, CheckpointMissing
from tests.worker.pipeline.published import publish, write_sums
from worker.pipeline.checkpoints import Loader
from worker.pipeline.execution import Execution
from worker.pipeline.model_files import ModelFolder
from worker.pipeline.sam import PUBLISHED, load_sam


def loader(root: Path) -> Loader:
    """Loads from this folder."""
    return Loader(ModelFolder(root), Execution.choose("cpu", "float32"))


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self._path, "sprung")


@pytest.mark.parametrize("packed", ["as torch saves", "as a bare pickle"])
@pytest.mark.parametrize("name", ["segment-anything/vit-b", "openai/clip-vit-base-patch32"])
def test_a_file_with_code_is_refused_and_not_run(name: str, packed: str, tmp_path: Path) -> None:
    """Even with the right sums: weights are data, and nothing else in the file is looked at."""
    checkpoint, sprung = CHECKPOINTS[name], tmp_path / "sprung"
    folder = ModelFolder(tmp_path / "models").of(checkpoint)
    if isinstance(checkpoint.source, WebFile):
        folder.mkdir(parents=True)
        path = folder / checkpoint.source.url.rpartition("/")[2]
    else:
        publish(name, tmp_path / "models")
        (folder / "model.safetensors").unlink()
        path = folder / "pytorch_model.bin"
    if packed == "as torch saves":
        torch.save({"weight": Trap(sprung)}, path)
    else:
        path.write_bytes(pickle.dumps({"weight": Trap(sprung)}, protocol=2))
    write_sums(folder)
    with pytest.raises(CheckpointInvalid):
        loader(tmp_path / "models").load(checkpoint)
    assert not sprung.exists()


def test_the_trap_would_spring(tmp_path: Path) -> None:
    """The file of the test above is as bad as it says."""
    pickle.loads(pickle.dumps(Trap(tmp_path / "sprung")))
    assert (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    "spoil",
    {
        "truncated": lambda data: data[: len(data) // 2],
        "an error page": lambda _: b"<!DOCTYPE html><html><title>404</title></html>",
        "empty": lambda _: b"",
        "noise": lambda data: bytes(len(data)),
    }.items(),
    ids=lambda item: item[0],
)
@pytest.mark.parametrize("name", ["openai/clip-vit-base-patch32", "segment-anything/vit-b"])
def test_what_is_no_checkpoint_is_refused(name: str, spoil: Any, tmp_path: Path) -> None:
    """Whatever it is, and even if its sum is right, the error is ours and names the folder."""
    checkpoint = CHECKPOINTS[name]
    folder = ModelFolder(tmp_path).of(checkpoint)
    if isinstance(checkpoint.source, WebFile):
        folder.mkdir()
        path = folder / checkpoint.source.url.rpartition("/")[2]
        torch.save({"weight": torch.zeros(100)}, path)
    else:
        publish(name, tmp_path)
        path = folder / "model.safetensors"
    path.write_bytes(spoil[1](path.read_bytes()))
    write_sums(folder)
    with pytest.raises(CheckpointInvalid, match=folder.name):
        loader(tmp_path).load(checkpoint)


def test_weights_of_another_size_are_refused(tmp_path: Path) -> None:
    """The config says one thing and the weights another."""
    checkpoint = publish("openai/clip-vit-base-patch32", tmp_path)
    folder = ModelFolder(tmp_path).of(checkpoint)
    config = json.loads((folder / "config.json").read_text())
    config["vision_config"]["hidden_size"] = 64
    (folder / "config.json").write_text(json.dumps(config))
    write_sums(folder)
    with pytest.raises(CheckpointInvalid):
        loader(tmp_path).load(checkpoint)


def test_a_pth_of_another_architecture_is_refused(tmp_path: Path) -> None:
    """Weights of a SAM that are not this SAM's."""
    torch.save({"image_encoder.pos_embed": torch.zeros(1, 4, 4, 8)}, tmp_path / "sam.pth")
    with pytest.raises(CheckpointInvalid, match=r"sam\.pth"):
        load_sam(tmp_path / "sam.pth", next(iter(PUBLISHED)))


def test_what_was_not_pulled_says_how_to(tmp_path: Path) -> None:
    """No folder, or one whose pull didn't end."""
    checkpoint = publish("nielsr/slimsam-77-uniform", tmp_path)
    (ModelFolder(tmp_path).of(checkpoint) / "SHA256SUMS").unlink()
    for name in ("nielsr/slimsam-77-uniform", "segment-anything/vit-h"):
        with pytest.raises(CheckpointMissing, match=f"mainmask models pull {name}"):
            loader(tmp_path).load(CHECKPOINTS[name])


@pytest.mark.parametrize("line", ["nonsense", f"{'0' * 64}  ../../etc/passwd", f"{'0' * 63}  model.safetensors"])
def test_a_list_of_sums_that_is_none_is_refused(line: str, tmp_path: Path) -> None:
    """Also one that leads out of its folder."""
    checkpoint = publish("nielsr/slimsam-77-uniform", tmp_path)
    (ModelFolder(tmp_path).of(checkpoint) / "SHA256SUMS").write_text(line + "\n")
    with pytest.raises(CheckpointInvalid, match="no checksum"):
        loader(tmp_path).load(checkpoint)
