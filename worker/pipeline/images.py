"""Picture files: any that Pillow reads, decoded to upright 8-bit RGB."""

import io

import numpy as np
from PIL import Image, ImageOps

from db.image_limits import ImageLimits
from db.pictures import open_picture, translated

DEFAULT_LIMITS = ImageLimits()


def decode(data: bytes, limits: ImageLimits = DEFAULT_LIMITS) -> Image.Image:
    """Decode a picture file to mode RGB, turned as its EXIF orientation says.

    The first frame of an animation is taken. Transparency is laid over white, as a page would show it; 16-bit and
    floating-point greys are scaled to 8 bits.

    Raises `ImageTooLarge` and `ImageOutOfShape` from the header alone, before any pixel is decoded, and `InvalidImage`
    for bytes that are no picture or end too early.
    """
    with open_picture(io.BytesIO(data), limits) as image, translated():
        image.load()
        return _to_rgb(ImageOps.exif_transpose(image))


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        return _from_deep_grey(image)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def _from_deep_grey(image: Image.Image) -> Image.Image:
    """16-bit files keep their scale (65535 is white); others have none of their own: their range is stretched."""
    values = np.asarray(image).astype(np.float32)
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    if image.mode.startswith("I;16") or (image.mode == "I" and 255 < values.max() <= 65535):
        values = values / 257.0
    else:
        low, high = float(values.min()), float(values.max())
        values = (values - low) * (255.0 / (high - low)) if high > low else np.clip(values, 0, 255)
    return Image.fromarray(values.round().clip(0, 255).astype(np.uint8), "L").convert("RGB")


def pad_to_square(image: Image.Image, fill: tuple[int, int, int]) -> Image.Image:
    """The RGB picture centred on a square of `fill`, so that a square model input loses nothing at its sides."""
    side = max(image.size)
    if image.size == (side, side):
        return image
    square = Image.new("RGB", (side, side), fill)
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square
