"""Opening picture files: which formats are taken, how large they may be, and one error for all that is broken.

Both the API, at the door, and the workers, who decode the pixels, go through here.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from PIL import Image, UnidentifiedImageError

from db.errors import ImageOutOfShape, InvalidImage, MainmaskError
from db.image_limits import ImageLimits
from db.picture_files import CountedReads, check_cost, has_too_many_frames

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
    counted = CountedReads(file)
    with translated():
        image = Image.open(cast("BinaryIO", counted), formats=FORMATS)
        limits.check(image.width, image.height)
        if has_too_many_frames(image, limits.frames):
            raise ImageOutOfShape("has more frames", f"{limits.frames}")
        check_cost(image, file)
        counted.stop()
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
