"""Folders of checkpoints that somebody else has been in."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from db.catalog import CHECKPOINTS
from db.checkpoints import Checkpoint
from db.errors import CheckpointInvalid
from tests.worker.pipeline.published import publish
from worker.pipeline.model_files import ModelFolder


@pytest.fixture
def models(tmp_path: Path) -> ModelFolder:
    """A folder with one whole checkpoint."""
    publish("nielsr/slimsam-77-uniform", tmp_path)
    return ModelFolder(tmp_path)


@pytest.fixture
def slim() -> Checkpoint:
    """That checkpoint."""
    return CHECKPOINTS["nielsr/slimsam-77-uniform"]


@pytest.mark.parametrize(
    "name", ["adapter_config.json", "added_tokens.json", "model.safetensors.index.json", "code.py"]
)
def test_a_file_that_was_not_pulled_is_refused(models: ModelFolder, slim: Checkpoint, name: str) -> None:
    """transformers would read some of them without being asked to."""
    (models.of(slim) / name).write_text("{}")
    with pytest.raises(CheckpointInvalid, match=f"{name} is none of its files"):
        models.find(slim)


def test_a_list_made_by_hand_is_read(models: ModelFolder, slim: Checkpoint) -> None:
    """As `sha256sum * > SHA256SUMS` writes it: with stars on some systems, and with the old list where there is one."""
    path = models.of(slim) / "SHA256SUMS"
    path.write_text(path.read_text().replace("  ", " *") + f"{hashlib.sha256().hexdigest()} *SHA256SUMS\n")
    assert models.find(slim).weights.name == "model.safetensors"


@pytest.mark.parametrize("name", ["REVISION", "config.json.part", ".gitattributes"])
def test_what_nobody_reads_may_be_there(models: ModelFolder, slim: Checkpoint, name: str) -> None:
    """What a pull keeps beside the files, and hidden ones."""
    (models.of(slim) / name).write_text("anything")
    assert models.find(slim)


@pytest.mark.parametrize(
    ("text", "commit"),
    [("c" * 40 + "\n", "c" * 40), ("c" * 39, None), ("main", None), ("", None), ("\N{BOMB}", None)],
    ids=["a commit", "half of one", "a branch", "nothing", "no text of ours"],
)
def test_what_is_no_commit_is_not_told_as_one(
    models: ModelFolder, slim: Checkpoint, text: str, commit: str | None
) -> None:
    """Results name the commit that a pull wrote down; somebody's own words in its place are none."""
    (models.of(slim) / "REVISION").write_text(text)
    assert models.find(slim).commit == commit


def test_a_pipe_in_the_commits_place_is_not_read(models: ModelFolder, slim: Checkpoint) -> None:
    """A worker's start would never end."""
    os.mkfifo(models.of(slim) / "REVISION")
    assert models.find(slim).commit is None


def pipe(path: Path) -> None:
    """Nobody ever writes to it."""
    path.unlink()
    os.mkfifo(path)


def device(path: Path) -> None:
    """It has no end."""
    path.unlink()
    path.symlink_to("/dev/zero")


def folder(path: Path) -> None:
    """One of the file's name."""
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("put", [pipe, device, folder])
def test_what_is_no_file_is_not_read(models: ModelFolder, slim: Checkpoint, put: Callable[[Path], None]) -> None:
    """It would be read for ever."""
    put(models.of(slim) / "model.safetensors")
    with pytest.raises(CheckpointInvalid, match="no file"):
        models.find(slim)


SUM = b"0" * 64
SUMS = {
    "binary": bytes(range(128, 256)),
    "no name": SUM + b"  \n",
    "a path": SUM + b"  ../model.safetensors\n",
    "the folder above": SUM + b"  ..\n",
    "a NUL": SUM + b"  model\0.safetensors\n",
    "no digits": b"x" * 64 + b"  model.safetensors\n",
    "nothing": b"",
}


@pytest.mark.parametrize("text", SUMS.values(), ids=SUMS)
def test_sums_that_are_none_are_refused(models: ModelFolder, slim: Checkpoint, text: bytes) -> None:
    """Whatever is in the list."""
    for path in models.of(slim).iterdir():
        path.unlink()
    (models.of(slim) / "SHA256SUMS").write_bytes(text)
    with pytest.raises(CheckpointInvalid):
        models.find(slim)


def test_a_folder_that_can_not_be_looked_into_is_told(slim: Checkpoint) -> None:
    """A name that no file system takes stands for all that `stat` refuses."""
    with pytest.raises(CheckpointInvalid, match="name too long"):
        ModelFolder(Path("/tmp", "x" * 300)).find(slim)
