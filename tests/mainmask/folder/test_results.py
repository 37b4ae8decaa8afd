"""A picture's files among the results: whether they are what they were."""

import json
from pathlib import Path
from typing import Any

import pytest

from mainmask.folder import coco
from mainmask.folder.errors import DamagedResult
from mainmask.folder.manifest import Row
from mainmask.folder.results import are_whole, digest
from tests.mainmask.fake_service import document


def as_json(**changes: Any) -> bytes:
    """A job's document as a file."""
    return json.dumps(document(**changes)).encode()


def saved(folder: Path) -> dict[str, str]:
    """A result; what is noted of its files."""
    contents = {"mask.png": b"mask", "job.json": as_json()}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return {name: digest(name, content) for name, content in contents.items()}


def test_what_was_saved_is_whole(tmp_path: Path) -> None:
    """Whatever else is in the folder."""
    files = saved(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    assert are_whole(tmp_path, files)


@pytest.mark.parametrize("name", ["mask.png", "job.json"])
@pytest.mark.parametrize("length", [0, 1, -1])
def test_a_file_that_was_cut_is_noticed(tmp_path: Path, name: str, length: int) -> None:
    """At any length."""
    files = saved(tmp_path)
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:length])
    assert not are_whole(tmp_path, files)


@pytest.mark.parametrize("name", ["mask.png", "job.json"])
def test_a_file_that_is_gone_or_none_is_noticed(tmp_path: Path, name: str) -> None:
    """A folder in its place is as bad as nothing."""
    files = saved(tmp_path)
    (tmp_path / name).unlink()
    assert not are_whole(tmp_path, files)
    (tmp_path / name).mkdir()
    assert not are_whole(tmp_path, files)


def test_a_document_that_says_something_else_is_noticed(tmp_path: Path) -> None:
    """Though it is JSON."""
    files = saved(tmp_path)
    (tmp_path / "job.json").write_bytes(as_json(metadata={"order": 8}))
    assert not are_whole(tmp_path, files)


def test_a_document_may_have_other_urls() -> None:
    """They are signed anew each time that it is asked for."""
    former, later = document(), document()
    later["result"]["instances"][0]["mask_url"] = "http://storage/mask?signature=2"
    later["input"]["image"]["url"] = "http://storage/input?signature=2"
    assert digest("job.json", json.dumps(former).encode()) == digest("job.json", json.dumps(later).encode())


@pytest.mark.parametrize("files", [None, {}])
def test_files_that_were_not_noted_are_not_taken_for_whole(tmp_path: Path, files: dict[str, str] | None) -> None:
    """Rather fetched once more than missed."""
    saved(tmp_path)
    assert not are_whole(tmp_path, files)


def test_a_damaged_document_is_no_annotation(tmp_path: Path) -> None:
    """COCO's export names the file."""
    (tmp_path / "cat.jpg").mkdir()
    (tmp_path / "cat.jpg" / "job.json").write_bytes(as_json()[:100])
    with pytest.raises(DamagedResult, match=r"cat\.jpg/job\.json is damaged"):
        coco.export([Row(path="cat.jpg", status="succeeded")], tmp_path, tmp_path / "coco.json")
