"""Pictures for benchmarks: cut from the sample, each another one to the models."""

import io
from pathlib import Path

from PIL import Image

import mainmask

SAMPLE = Path(mainmask.__file__).parent / "sample" / "snowboard.jpg"
LABELS = ("man", "snowboard")
SIZE = (640, 480)
"""Width and height, as of a picture from a web page."""


def pictures(count: int) -> list[bytes]:
    """JPEG files with what the labels name."""
    with Image.open(SAMPLE) as sample:
        whole = sample.convert("RGB")
    return [_cut(whole, number) for number in range(count)]


def small_picture() -> bytes:
    """Of which decoding and encoding take next to no time."""
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), "red").save(buffer, "PNG")
    return buffer.getvalue()


def _cut(whole: Image.Image, number: int) -> bytes:
    buffer = io.BytesIO()
    # A pixel less at one side each time.
    whole.crop((number, 0, whole.width, whole.height)).resize(SIZE).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()
