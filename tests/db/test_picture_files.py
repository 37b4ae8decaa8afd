"""Files that would cost far more than they should, and the honest ones that look like them."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, TiffImagePlugin

from db.errors import ImageOutOfShape, InvalidImage
from db.image_limits import ImageLimits
from db.picture_files import MOST_SCANS, count_scans
from db.pictures import open_picture

LIMITS = ImageLimits(frames=50)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The picture as a file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def picture(side: int = 64) -> Image.Image:
    """Something to look at."""
    return Image.radial_gradient("L").resize((side, side)).convert("RGB")


def frames(count: int) -> dict[str, Any]:
    """Options to save so many different frames."""
    return {
        "save_all": True,
        "lossless": True,
        "append_images": [Image.new("RGB", (8, 8), (n, 0, 0)) for n in range(1, count)],
    }


def chunk(kind: bytes, content: bytes = b"") -> bytes:
    """A PNG's."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def repeated_scan(times: int) -> bytes:
    """A progressive JPEG whose last scan comes so many times more."""
    data = encoded(picture(), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * times + data[-2:]


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_s_scans_are_counted(progressive: bool) -> None:
    """As many as the encoder wrote; the position stays where it was."""
    file = io.BytesIO(encoded(picture(), "JPEG", progressive=progressive, restart_marker_rows=1))
    file.seek(7)
    assert count_scans(file, most=99) == (10 if progressive else 1)
    assert file.tell() == 7


def test_markers_that_are_data_are_none() -> None:
    """A thumbnail in the header and a film behind the picture may hold anything."""
    data = encoded(picture(), "JPEG", exif=b"Exif\0\0" + b"\xff\xda" * 1000)
    assert count_scans(io.BytesIO(data + b"\xff\xda" * 1000), most=9) == 1
    open_picture(io.BytesIO(data), LIMITS).load()


def test_a_jpeg_of_a_thousand_scans_is_refused() -> None:
    """Each would be decoded over the whole picture."""
    open_picture(io.BytesIO(repeated_scan(MOST_SCANS - 20)), LIMITS).load()
    with pytest.raises(InvalidImage, match="more than 100 scans"):
        open_picture(io.BytesIO(repeated_scan(1000)), LIMITS)


@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)) + chunk(b"teSt") * 100_000,
        b"\xff\xd8" + b"\xff\xe4\x00\x02" * 300_000,
        encoded(picture(), "JPEG")[:-2] + b"\xff\xe4\x00\x02" * 20_000 + b"\xff\xd9",
    ],
    ids=["PNG", "JPEG", "JPEG behind its scan"],
)
def test_a_file_of_empty_parts_is_refused(data: bytes) -> None:
    """Nobody walks them all."""
    with pytest.raises(InvalidImage, match="too many small parts"):
        open_picture(io.BytesIO(data), LIMITS)


def test_a_tiff_whose_tiles_are_larger_than_it_is_refused(tmp_path: Path) -> None:
    """The decoder would take a whole tile's memory, whatever the picture's size."""
    data = tiff_with_tiles(8000)
    with pytest.raises(InvalidImage, match="tiles"):
        open_picture(io.BytesIO(data), LIMITS)
    assert open_picture(io.BytesIO(tiff_with_tiles(256)), LIMITS).size == (64, 64)


def tiff_with_tiles(side: int) -> bytes:
    """A header of 64 x 64 pixels in one square tile."""
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    values = {256: 64, 257: 64, 258: 8, 259: 1, 262: 1, 277: 1, 322: side, 323: side, 324: 8, 325: side * side}
    for tag, value in values.items():
        tags[tag] = value
    buffer = io.BytesIO(b"II*\0" + struct.pack("<I", 8))
    buffer.seek(8)
    tags.save(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "PNG", "WEBP"])
def test_frames_are_limited(kind: str) -> None:
    """As many as the limit are taken, and the first one is the picture."""
    taken = open_picture(io.BytesIO(encoded(Image.new("RGB", (8, 8), "red"), kind, **frames(50))), LIMITS)
    assert taken.convert("RGB").getpixel((4, 4)) == (255, 0, 0)
    with pytest.raises(ImageOutOfShape, match="more frames"):
        open_picture(io.BytesIO(encoded(Image.new("RGB", (8, 8), "red"), kind, **frames(52))), LIMITS)


def test_a_large_honest_file_passes() -> None:
    """A GIF of many frames is read in pieces of 255 bytes, and is no attack."""
    noise = [Image.effect_noise((200, 200), 90).convert("P") for _ in range(40)]
    data = encoded(noise[0], "GIF", save_all=True, append_images=noise[1:])
    assert len(data) > 1_000_000
    assert open_picture(io.BytesIO(data), LIMITS).size == (200, 200)
