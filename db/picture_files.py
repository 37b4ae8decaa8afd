"""Picture files that cost far more than their bytes: what is asked of a file beyond the size that its header says.

Decoders obey the file. A few bytes can make one walk a million empty parts, decode the same picture ten thousand times,
or take the memory of a tile that no picture needs.
"""

import re
from typing import Any, BinaryIO

from PIL import Image, TiffImagePlugin

from db.errors import InvalidImage

READS = 50_000
BYTES_PER_READ = 100
"""Reads that a header may take: so many, and one more for each so many bytes. A large GIF's are of 127 bytes."""
MOST_SCANS = 100
"""Of a JPEG. Encoders write 10 or so; each is decoded over the whole picture."""
LARGEST_SPARE_TILE = 1024
"""Sides of a TIFF's tiles that are taken although the picture is smaller, in pixels."""

MOST_SEGMENTS = 10_000
"""Of a JPEG: its scans, and what stands around them."""

_CHUNK_BYTES = 1 << 13
_START, _START_OF_SCAN, _END = 0xD8, 0xDA, 0xD9
# In a scan's data 0xFF is followed by 0, by a restart, or by more of 0xFF; anything else is the next marker.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


class CountedReads:
    """A file whose reads are counted, until `stop` is called: all of a header's, and none of the pixels'."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        size = file.seek(0, 2)
        file.seek(0)
        self._left: float = READS + size // BYTES_PER_READ

    def read(self, size: int = -1) -> bytes:
        """The file's; raises `InvalidImage` when there were too many."""
        self._left -= 1
        if self._left < 0:
            raise InvalidImage("it is in too many small parts.")
        return self._file.read(size)

    def stop(self) -> None:
        """Count no more."""
        self._left = float("inf")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def has_too_many_frames(image: Image.Image, most: int) -> bool:
    """Whether there are more than `most`; the image is at its first one afterwards."""
    if image.format != "TIFF":
        return getattr(image, "n_frames", 1) > most
    # A TIFF counts its frames by walking all of them.
    try:
        image.seek(most)
    except EOFError:
        return False
    finally:
        image.seek(0)
    return True


def check_cost(image: Image.Image, file: BinaryIO) -> None:
    """Raise `InvalidImage` where decoding would take far more than the picture's size says."""
    if image.format in {"JPEG", "MPO"} and count_scans(file, most=MOST_SCANS) > MOST_SCANS:
        raise InvalidImage(f"it has more than {MOST_SCANS} scans.")
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        tags = image.tag_v2
        tile = (tags.get(TiffImagePlugin.TILEWIDTH, 0), tags.get(TiffImagePlugin.TILELENGTH, 0))
        if any(side > max(whole + 15, LARGEST_SPARE_TILE) for side, whole in zip(tile, image.size, strict=True)):
            raise InvalidImage("its tiles are larger than the picture.")


def count_scans(file: BinaryIO, *, most: int) -> int:
    """The scans of a JPEG file's first picture, no further than one more than `most`; the file's position stays.

    Raises `InvalidImage` where there are far more other parts than scans need.
    """
    before = file.tell()
    file.seek(0)
    scans = 0
    for _ in range(MOST_SEGMENTS):
        marker = _next_marker(file)
        if marker in {None, _END} or scans > most:
            file.seek(before)
            return scans
        if marker != _START:
            scans += marker == _START_OF_SCAN
            length = int.from_bytes(file.read(2), "big")
            file.seek(max(0, length - 2), 1)
    raise InvalidImage("it is in too many small parts.")


def _next_marker(file: BinaryIO) -> int | None:
    """The next marker's code, with the file behind it; None at the file's end."""
    while chunk := file.read(_CHUNK_BYTES):
        if found := _MARKER.search(chunk):
            file.seek(found.end() - len(chunk), 1)
            return chunk[found.end() - 1]
        if len(chunk) > 1 and chunk.endswith(b"\xff"):
            file.seek(-1, 1)
    return None
