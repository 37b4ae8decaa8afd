"""What is said about each picture, from a table."""

from pathlib import Path

import pytest

from mainmask.folder.errors import BadCaptions
from mainmask.folder.pictures import Picture
from mainmask.folder.words import Words, captions

PICTURES = [Picture("a.jpg", Path("/photos/a.jpg")), Picture("deep/b.jpg", Path("/photos/deep/b.jpg"))]


def table(tmp_path: Path, text: str | bytes) -> Path:
    """A file with this in it."""
    path = tmp_path / "captions.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_texts_and_labels(tmp_path: Path) -> None:
    """By name or by absolute path; a spreadsheet's byte order mark and rows of other pictures don't matter."""
    path = table(tmp_path, '\ufeffpath,text,labels\na.jpg,a cat,\n/photos/deep/b.jpg,,"man, board"\nc.jpg,a dog,\n')
    assert captions(path, PICTURES) == [Words("a cat"), Words(None, ("man", "board"))]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must name the columns"),
        ("a.jpg,a cat\n", "must name the columns"),
        ("path,text\na.jpg,a cat\n", "1 pictures have no caption: deep/b.jpg"),
        ("path,text\na.jpg,\n", "line 2 must have either"),
        ("path,text\na.jpg\n", "line 2 must have either"),
        ("path,text,labels\na.jpg,a cat,cat\n", "line 2 must have either"),
        ("path,text\na.jpg,a cat\na.jpg,a dog\n", "line 3: a.jpg is there twice"),
        (b"path,text\na.jpg,\xff\n", "no CSV in UTF-8"),
    ],
)
def test_tables_that_can_not_be_used(tmp_path: Path, text: str | bytes, message: str) -> None:
    """The message says where and why."""
    with pytest.raises(BadCaptions, match=message):
        captions(table(tmp_path, text), PICTURES)
