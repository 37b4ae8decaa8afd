"""Masks in the forms that people use: PNG, COCO RLE, polygons, cut-out, overlay."""

import io

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco

from worker.pipeline.results import Box

BoolMask = NDArray[np.bool_]

OVERLAY_BGR = (129, 64, 255)
OVERLAY_OPACITY = 0.45
_SHADES = np.arange(256, dtype=np.uint8)[:, None].repeat(3, 1)[:, None]
# What each shade of each colour becomes: one look at a table a pixel, and no picture of the tint.
OVERLAY_TINT = cv2.addWeighted(_SHADES, 1 - OVERLAY_OPACITY, np.full_like(_SHADES, OVERLAY_BGR), OVERLAY_OPACITY, 0)
# One filter for all rows, where Pillow tries five on each: half the time, and the files are a few per cent larger.
PNG_OPTIONS = (
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP),
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_DEFAULT),
    *(cv2.IMWRITE_PNG_COMPRESSION, 1),
)
JPEG_OPTIONS = (
    *(cv2.IMWRITE_JPEG_QUALITY, 90),
    # Colours as fine as brightness: lines of one pixel stay lines.
    *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
)


def encode_png(mask: BoolMask) -> bytes:
    """A one-bit greyscale PNG of shape (height, width): white is the object."""
    buffer = io.BytesIO()
    # Level 1 is several times faster than Pillow's default and a few per cent larger.
    Image.fromarray(mask).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def encode_rle(mask: BoolMask) -> dict[str, object]:
    """COCO's compressed run-length encoding: `size` is [height, width], `counts` is ASCII."""
    rle = coco.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": [int(side) for side in rle["size"]], "counts": rle["counts"].decode("ascii")}


def polygons(mask: BoolMask, *, tolerance_pixels: float = 1.0) -> list[list[float]]:
    """Outer outlines as COCO polygons [x1, y1, x2, y2, …], largest first, simplified to within the tolerance.

    Holes can't be said in COCO polygons; the RLE is exact.
    """
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    simple = [cv2.approxPolyDP(outline, tolerance_pixels, closed=True) for outline in outlines]
    simple = sorted((outline for outline in simple if len(outline) >= 3), key=cv2.contourArea, reverse=True)
    return [[float(value) for value in outline.reshape(-1)] for outline in simple]


def tight_box(mask: BoolMask) -> Box:
    """The smallest XYXY box around the mask, right and bottom exclusive; zeros for an empty one."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    if not columns.size:
        return (0.0, 0.0, 0.0, 0.0)
    return (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))


def cutout(image: Image.Image, mask: BoolMask) -> bytes:
    """An RGBA PNG of the object alone, cropped to its tight box; elsewhere transparent, with nothing left behind."""
    left, top, right, bottom = (int(edge) for edge in tight_box(mask))
    # An empty mask still gives a picture: one transparent pixel.
    right, bottom = max(right, left + 1), max(bottom, top + 1)
    alpha = mask[top:bottom, left:right].astype(np.uint8) * 255
    pixels = cv2.merge((*cv2.split(_bgr(image.crop((left, top, right, bottom)))), alpha))
    return cv2.imencode(".png", cv2.bitwise_and(pixels, pixels, mask=alpha), PNG_OPTIONS)[1].tobytes()


def overlay(image: Image.Image, mask: BoolMask, box: Box) -> bytes:
    """A JPEG of the picture with the mask tinted and outlined, and the detector's box, for the eye."""
    picture, inside = _bgr(image), mask.astype(np.uint8)
    cv2.copyTo(cv2.LUT(picture, OVERLAY_TINT), inside, picture)
    thickness = max(1, round(max(image.size) / 400))
    outlines, _ = cv2.findContours(inside, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, outlines, -1, OVERLAY_BGR, thickness)
    left, top, right, bottom = (round(edge) for edge in box)
    cv2.rectangle(picture, (left, top), (right - 1, bottom - 1), (255, 255, 255), thickness)
    return cv2.imencode(".jpg", picture, JPEG_OPTIONS)[1].tobytes()


def _bgr(image: Image.Image) -> NDArray[np.uint8]:
    """The pixels in OpenCV's order: (height, width, 3)."""
    # Pillow would copy a picture that is RGB already.
    pixels = np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), np.uint8)
