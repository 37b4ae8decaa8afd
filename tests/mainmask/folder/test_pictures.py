"""Which pictures folders, patterns and files lead to, and what they are called."""

from pathlib import Path

import pytest

from mainmask.folder.errors import NoPictures
from mainmask.folder.pictures import are_many, find

OUT = Path("out")
FILES = (
    "in/a.jpg",
    "in/deep/b.PNG",
    "in/.hidden/c.jpg",
    "in/d.txt",
    "in/[e].webp",
    "other/a.jpg",
    "out/a.jpg/mask.png",
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current folder, with some files."""
    monkeypatch.chdir(tmp_path)
    for name in FILES:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["in"], ["[e].webp", "a.jpg", "deep/b.PNG"]),
        (["in", "other"], ["in/[e].webp", "in/a.jpg", "in/deep/b.PNG", "other/a.jpg"]),
        (["in/*.jpg"], ["a.jpg"]),
        (["**/*.jpg"], ["in/a.jpg", "other/a.jpg"]),
        (["in/d.txt"], ["d.txt"]),
        (["in/[e].webp"], ["[e].webp"]),
        (["in/a.jpg", "in", "./in/a.jpg"], ["[e].webp", "a.jpg", "deep/b.PNG"]),
        (["."], ["in/[e].webp", "in/a.jpg", "in/deep/b.PNG", "other/a.jpg"]),
    ],
)
def test_what_is_meant(arguments: list[str], names: list[str]) -> None:
    """Pictures at any depth, in order, each once, none hidden, no results; what is named may be called anything."""
    found = find(arguments, OUT)
    assert [picture.name for picture in found] == names
    assert all(picture.path.is_absolute() and picture.path.is_file() for picture in found)


@pytest.mark.parametrize("argument", ["out", "out/a.jpg", "in/*.gif"])
def test_where_there_are_none(argument: str) -> None:
    """It is named."""
    with pytest.raises(NoPictures, match="There are no pictures in"):
        find([argument], OUT)


def test_a_file_that_is_not_there() -> None:
    """The usual error, with its name."""
    with pytest.raises(FileNotFoundError) as caught:
        find(["in", "none.jpg"], OUT)
    assert caught.value.filename == "none.jpg"


@pytest.mark.parametrize(
    ("arguments", "many"),
    [(["in/a.jpg"], False), (["in/[e].webp"], False), (["none.jpg"], False), (["in"], True), (["in/*"], True)],
)
def test_one_or_many(arguments: list[str], many: bool) -> None:
    """One file is one, also where it isn't there or has a pattern's letters in its name."""
    assert are_many(arguments) is many
