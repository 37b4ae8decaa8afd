"""What the door asks of an image before there is a job: its header only, never its pixels."""

import hashlib
from dataclasses import dataclass
from typing import BinaryIO

from PIL import ExifTags, Image

from api.errors import BodyTooLarge
from db.errors import InvalidImage
from db.pictures import open_picture, translated
from db.settings import Settings

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
    content_type, width, height = _read_header(file, limits)
    file.seek(0)
    return ImageHeader(digest, size_bytes, content_type, width, height)


def _digest(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(1024 * 1024):
        digest.update(chunk)
    return digest.hexdigest()


def _read_header(file: BinaryIO, limits: Settings) -> tuple[str, int, int]:
    image = open_picture(file, limits.image_limits)
    with translated():
        # The base class's method: PNG's own decodes every pixel to look for a chunk at the end.
        orientation = Image.Image.getexif(image).get(ExifTags.Base.Orientation)
        content_type = Image.MIME.get(image.format or "", "application/octet-stream")
    width, height = image.size
    return (content_type, height, width) if orientation in SIDEWAYS else (content_type, width, height)
