"""The manifest's file: whole after any kill, and nobody else's."""

import csv
import os
from pathlib import Path

import pytest

from mainmask.folder.errors import BadManifest, ManifestInUse
from mainmask.folder.manifest import Manifest, Row

FAILED = Row(path="b.jpg", status="failed", error_type="invalid-image", error_message="It is\nnone", key="k")
FOUND = Row(path="a.jpg", status="succeeded", outcome="found", label="cat", box=(1.0, 2.0, 3.0, 4.0), key="k")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where it is."""
    return tmp_path / "out" / "manifest.jsonl"


def test_rows_are_there_the_next_time(path: Path) -> None:
    """As they were written; the last one of a picture counts."""
    with Manifest.opened(path) as manifest:
        for row in (FAILED, FOUND):
            manifest.append(row)
        manifest.append(Row(path="b.jpg", status="succeeded", attempt=2))
    with Manifest.opened(path) as manifest:
        assert {name: (row.status, row.attempt) for name, row in manifest.rows.items()} == {
            "a.jpg": ("succeeded", 1),
            "b.jpg": ("succeeded", 2),
        }
        assert manifest.rows["a.jpg"].label == "cat"


def test_half_a_line_is_cut_off(path: Path) -> None:
    """Wherever a kill has left it: all earlier rows stay, and the next one has a line of its own."""
    with Manifest.opened(path) as manifest:
        manifest.append(FOUND)
        whole = path.read_bytes()
        manifest.append(FAILED)
    both = path.read_bytes()
    for length in range(len(whole), len(both)):
        path.write_bytes(both[:length])
        with Manifest.opened(path) as manifest:
            assert list(manifest.rows) == ["a.jpg"]
            manifest.append(FAILED)
        assert path.read_bytes() == both


def test_a_line_of_something_else(path: Path) -> None:
    """It is refused by its number, and left as it is."""
    path.parent.mkdir()
    path.write_text('{"path": "a.jpg", "status": "succeeded"}\n{"path": "b.jpg"}\n')
    with pytest.raises(BadManifest, match="line 2"), Manifest.opened(path):
        pass
    assert path.read_text().count("\n") == 2


def test_it_is_one_process_s_at_a_time(path: Path) -> None:
    """A second one is refused until the first has closed it."""
    with Manifest.opened(path), pytest.raises(ManifestInUse), Manifest.opened(path):
        pass
    with Manifest.opened(path):
        pass


def test_the_table_has_each_picture_once(path: Path) -> None:
    """In the order of their names; also one whose name is no text."""
    name = os.fsdecode(b"caf\xe9.jpg")
    with Manifest.opened(path) as manifest:
        for row in (FAILED, FOUND, Row(path=name, status="succeeded"), Row(path="b.jpg", status="succeeded")):
            manifest.append(row)
        manifest.export(path.with_suffix(".csv"))
    with Manifest.opened(path) as manifest:
        assert name in manifest.rows
    with path.with_suffix(".csv").open(newline="", errors="surrogateescape") as file:
        listed = list(csv.DictReader(file))
    assert [(row["path"], row["status"]) for row in listed] == [
        ("a.jpg", "succeeded"),
        ("b.jpg", "succeeded"),
        (name, "succeeded"),
    ]
    assert (listed[0]["box"], listed[0]["label"]) == ("1.0 2.0 3.0 4.0", "cat")
