"""What the door asks of an image before there is a job: its header only, never its pixels."""

import hashlib
from dataclasses import dataclass
from typing import BinaryIO

from PIL import ExifTags, Image, UnidentifiedImageError

from api.errors import BodyTooLarge
from db.errors import InvalidImage
from db.settings import Settings

# Pillow's own limit warns at one size and raises at another; the settings' says no once, with a message.
Image.MAX_IMAGE_PIXELS = None

SIDEWAYS = {5, 6, 7, 8}  # EXIF orientations that swap width and height


@dataclass(frozen=True)
class ImageHeader:
    """A picture file's digest, bytes, type, and size in pixels when upright."""

    sha256: str
    size_bytes: int
    content_type: str
    width: int
    height: int


def inspect(file: BinaryIO, limits: Settings) -> ImageHeader:
    """Measure a seekable picture file, and leave it at its beginning.

    Raises `BodyTooLarge`, `ImageTooLarge`, `ImageOutOfShape`, or `InvalidImage` when it is empty or no picture.
    Whether the pixels are whole shows when the worker decodes them.
    """
    size_bytes = file.seek(0, 2)
    if size_bytes == 0:
        raise InvalidImage("it is empty.")
    if size_bytes > limits.maximum_image_bytes:
        raise BodyTooLarge("image", limits.maximum_image_bytes)
    file.seek(0)
    digest = _digest(file)
    file.seek(0)
    content_type, width, height, frames = _read_header(file)
    file.seek(0)
    limits.image_limits.check(width, height, frames)
    return ImageHeader(digest, size_bytes, content_type, width, height)


def _digest(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(1024 * 1024):
        digest.update(chunk)
    return digest.hexdigest()


def _read_header(file: BinaryIO) -> tuple[str, int, int, int]:
    try:
        image = Image.open(file)
        # The base class's method: PNG's own decodes every pixel to look for a chunk at the end.
        orientation = Image.Image.getexif(image).get(ExifTags.Base.Orientation)
        frames = getattr(image, "n_frames", 1)
    except UnidentifiedImageError as error:
        raise InvalidImage("it is in no known picture format.") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise InvalidImage(f"{error}.") from error
    width, height = image.size
    content_type = image.get_format_mimetype() or "application/octet-stream"
    if orientation in SIDEWAYS:
        width, height = height, width
    return content_type, width, height, frames
