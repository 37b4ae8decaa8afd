"""Opening picture files: which formats are taken, how large they may be, and one error for all that is broken.

Both the API, at the door, and the workers, who decode the pixels, go through here.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from db.errors import InvalidImage, MainmaskError
from db.image_limits import ImageLimits

# Pillow reads some forty formats, one of them by starting a PostScript interpreter. These are what pictures come in.
FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"]

try:
    from pillow_heif import register_heif_opener
except ImportError:  # the extra `heic` isn't installed
    pass
else:
    register_heif_opener()
    FORMATS.append("HEIF")

# Pillow's own limit warns at one size and raises at another; `ImageLimits` says no once, with a message.
Image.MAX_IMAGE_PIXELS = None
# What is odd in a caller's file is nothing for our log.
warnings.filterwarnings("ignore", module=r"PIL\..*")


def open_picture(file: BinaryIO, limits: ImageLimits) -> Image.Image:
    """The picture, of which only the header has been read, and whose size is within the limits.

    Raises `ImageTooLarge`, `ImageOutOfShape`, and `InvalidImage` when it is no picture of these formats.
    """
    with translated():
        image = Image.open(file, formats=FORMATS)
        limits.check(image.width, image.height, getattr(image, "n_frames", 1))
        return image


@contextmanager
def translated() -> Iterator[None]:
    """What Pillow raises on broken files, within the block, as `InvalidImage`."""
    try:
        yield
    except (MainmaskError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise InvalidImage("it is in no known picture format.") from error
    except Exception as error:
        # Each of Pillow's decoders has its own ideas of what to raise.
        raise InvalidImage(f"{str(error).rstrip('.') or type(error).__name__}.") from error
