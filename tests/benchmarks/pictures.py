"""Pictures for benchmarks: cut from the sample, each another one to the models."""

import io
from itertools import count, islice
from pathlib import Path

from PIL import Image

import mainmask

SAMPLE = Path(mainmask.__file__).parent / "sample" / "snowboard.jpg"
LABELS = ("man", "snowboard")
SIZE = (640, 480)
"""Width and height, as of a picture from a web page."""
SHIFTS = 128


_small_ones = count()


def pictures(number: int, since: int = 0) -> list[bytes]:
    """So many JPEG files with what the labels name, of an endless row of different ones."""
    with Image.open(SAMPLE) as sample:
        whole = sample.convert("RGB")
    return [_cut(whole, each) for each in range(since, since + number)]


def small_pictures(number: int) -> list[bytes]:
    """Files of which decoding and encoding take next to no time; no process was ever shown one of them."""
    return [_small(each) for each in islice(_small_ones, number)]


def _small(number: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), (number >> 16 & 255, number >> 8 & 255, number & 255)).save(buffer, "PNG")
    return buffer.getvalue()


def _cut(whole: Image.Image, number: int) -> bytes:
    buffer = io.BytesIO()
    # A pixel less at one side each time; then the same again with another corner.
    shift, turn = number % SHIFTS, number // SHIFTS
    cut = whole.crop((shift, 0, whole.width, whole.height)).resize(SIZE)
    if turn:
        cut.paste((turn * 7 % 256, turn * 31 % 256, turn * 101 % 256), (0, 0, 48, 48))
    cut.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()
