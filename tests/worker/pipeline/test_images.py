"""Decoding: whatever Pillow reads becomes upright RGB, and what is broken says so."""

import io

import numpy as np
import pytest
from PIL import Image

from db.errors import ImageTooLarge, InvalidImage
from worker.pipeline.images import decode, pad_to_square

ORIENTATION = 0x0112
Colour = str | float | tuple[float, ...]


def encode(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """The picture as a file's bytes."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def two_halves(mode: str, left: Colour, right: Colour) -> Image.Image:
    """A 20 x 10 picture of two colours, to tell its sides apart."""
    image = Image.new(mode, (20, 10), left)
    image.paste(right, (10, 0, 20, 10))
    return image


def colour_at(image: Image.Image, x: int, y: int) -> tuple[int, ...]:
    """The RGB values of one pixel."""
    colour = image.getpixel((x, y))
    assert isinstance(colour, tuple)
    return colour


@pytest.mark.parametrize(
    ("image", "kind"),
    [
        (two_halves("1", 0, 1), "PNG"),
        (two_halves("L", 0, 255), "PNG"),
        (two_halves("LA", (0, 255), (255, 255)), "PNG"),
        (two_halves("RGB", "black", "white").convert("P"), "PNG"),
        (two_halves("RGB", "black", "white"), "JPEG"),
        (two_halves("RGBA", (0, 0, 0, 255), (255, 255, 255, 255)), "PNG"),
        (two_halves("CMYK", (0, 0, 0, 255), (0, 0, 0, 0)), "JPEG"),
        (two_halves("YCbCr", (0, 128, 128), (255, 128, 128)), "JPEG"),
        (two_halves("I;16", 0, 65535), "PNG"),
        (two_halves("I", 0, 65535), "TIFF"),
        (two_halves("F", 0.0, 1.0), "TIFF"),
        (two_halves("RGB", "black", "white"), "WEBP"),
        (two_halves("RGB", "black", "white"), "BMP"),
        (two_halves("L", 0, 255), "GIF"),
        (two_halves("RGB", "black", "white"), "AVIF"),
        (two_halves("RGB", "black", "white"), "HEIF"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.mode,
)
def test_every_mode_keeps_its_blacks_and_whites(image: Image.Image, kind: str) -> None:
    """Black stays black and white stays white in every mode and format, as 8-bit RGB."""
    decoded = decode(encode(image, kind))
    assert decoded.mode == "RGB"
    assert decoded.size == (20, 10)
    assert max(colour_at(decoded, 2, 5)) < 16
    assert min(colour_at(decoded, 17, 5)) > 239


def test_transparency_lies_over_white() -> None:
    """A product cut-out on nothing is seen as on a white page, whatever colour hides under the transparency."""
    decoded = decode(encode(two_halves("RGBA", (255, 0, 0, 0), (0, 0, 255, 255))))
    assert decoded.getpixel((2, 5)) == (255, 255, 255)
    assert decoded.getpixel((17, 5)) == (0, 0, 255)


@pytest.mark.parametrize(
    ("orientation", "size", "dark_corner"),
    [(1, (20, 10), (1, 5)), (3, (20, 10), (18, 5)), (6, (10, 20), (5, 1)), (8, (10, 20), (5, 18))],
)
def test_exif_orientation_is_applied(orientation: int, size: tuple[int, int], dark_corner: tuple[int, int]) -> None:
    """A sideways photo comes out upright: its size is swapped and its dark half lies where the viewer sees it."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    decoded = decode(encode(two_halves("RGB", "black", "white"), "JPEG", exif=exif, quality=95))
    assert decoded.size == size
    assert max(colour_at(decoded, *dark_corner)) < 40


def test_an_animation_gives_its_first_frame() -> None:
    """Of an animated picture the first frame is taken."""
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    decoded = decode(encode(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True))
    assert decoded.getpixel((4, 4)) == (255, 0, 0)


@pytest.mark.parametrize(
    "data",
    [b"", b"hello, I am a text file", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0garbage", b"GIF89a"],
    ids=["empty", "text", "PNG signature", "JPEG start", "GIF signature"],
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    """Bytes that only look like a picture, or don't, raise `InvalidImage` and nothing else."""
    with pytest.raises(InvalidImage, match="can't be read"):
        decode(data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "GIF"])
def test_a_truncated_picture_is_refused(kind: str) -> None:
    """Half a file is an error, never half a picture."""
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    data = encode(Image.fromarray(noise), kind)
    with pytest.raises(InvalidImage):
        decode(data[: len(data) // 2])


def test_the_size_limit_is_read_from_the_header() -> None:
    """A picture over the limit is refused with its size in words, before its pixels are decoded."""
    huge = encode(Image.new("1", (20_000, 20_000)))
    with pytest.raises(ImageTooLarge, match="20000 x 20000 pixels, 400 megapixels"):
        decode(huge)


def test_padding_centres_the_picture() -> None:
    """A wide picture stands in the middle of its square, whole, between bands of the fill."""
    square = pad_to_square(two_halves("RGB", "black", "white"), (10, 20, 30))
    assert square.size == (20, 20)
    assert square.getpixel((0, 0)) == square.getpixel((19, 19)) == (10, 20, 30)
    assert square.getpixel((0, 10)) == (0, 0, 0)
    assert square.getpixel((19, 10)) == (255, 255, 255)
