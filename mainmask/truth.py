"""How well a mask fits the true one."""

from io import BytesIO

from PIL import Image, ImageChops


def intersection_over_union(mask: bytes, truth: bytes) -> float:
    """The IoU of two black and white pictures of one size, 0 to 1.

    Raises:
        ValueError: their sizes differ.
    """
    first, second = _bilevel(mask), _bilevel(truth)
    if first.size != second.size:
        raise ValueError(f"masks of {first.size} and {second.size} pixels cannot be compared")
    union = _area(ImageChops.logical_or(first, second))
    return _area(ImageChops.logical_and(first, second)) / union if union else 1.0


def _bilevel(png: bytes) -> Image.Image:
    return Image.open(BytesIO(png)).convert("1", dither=Image.Dither.NONE)


def _area(image: Image.Image) -> int:
    return image.histogram()[255]
