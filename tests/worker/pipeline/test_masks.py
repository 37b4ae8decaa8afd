"""Masks in every form, each checked against the pixels that it came from."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw
from pycocotools import mask as coco

from worker.pipeline import masks
from worker.pipeline.masks import BoolMask


@pytest.fixture
def ring() -> BoolMask:
    """A 60 x 80 mask with a hole and a second, smaller piece."""
    picture = Image.new("1", (80, 60))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((10, 5, 50, 45), fill=1)
    draw.ellipse((25, 20, 35, 30), fill=0)
    draw.rectangle((65, 50, 75, 55), fill=1)
    return np.asarray(picture)


def decode_rle(rle: dict[str, object]) -> BoolMask:
    """The mask of a COCO RLE."""
    return np.asarray(coco.decode(rle), dtype=np.bool_)


def open_png(data: bytes) -> Image.Image:
    """The PNG, read back."""
    image = Image.open(io.BytesIO(data))
    assert image.format == "PNG"
    return image


def open_jpeg(data: bytes) -> Image.Image:
    """The JPEG, read back."""
    image = Image.open(io.BytesIO(data))
    assert image.format == "JPEG"
    return image


def test_png_and_rle_give_the_same_pixels_back(ring: BoolMask) -> None:
    """The PNG and the RLE are exact: both decode to the mask that was encoded."""
    assert np.array_equal(np.asarray(open_png(masks.encode_png(ring)).convert("1")), ring)
    rle = masks.encode_rle(ring)
    assert rle["size"] == [60, 80]
    assert isinstance(rle["counts"], str)
    assert np.array_equal(decode_rle(rle), ring)


def test_polygons_are_the_outer_outlines_largest_first(ring: BoolMask) -> None:
    """Filled again, the polygons cover the mask with its holes closed; the larger piece comes first."""
    outlines = masks.polygons(ring)
    assert len(outlines) == 2
    again = Image.new("1", (80, 60))
    for outline in outlines:
        ImageDraw.Draw(again).polygon(outline, fill=1, outline=1)
    filled = ring.copy()
    filled[20:31, 25:36] = True
    redrawn = np.asarray(again)
    assert (redrawn & filled).sum() / (redrawn | filled).sum() > 0.97
    assert min(outlines[0][0::2]) < 15
    assert min(outlines[1][0::2]) > 60


def test_tight_box_ends_after_the_last_pixel(ring: BoolMask) -> None:
    """The box is XYXY with exclusive ends: its sides measure the mask's extent."""
    assert masks.tight_box(ring) == (10.0, 5.0, 76.0, 56.0)


def test_cutout_is_the_object_alone(ring: BoolMask) -> None:
    """The cut-out is cropped to the tight box; outside the mask it is transparent, inside it is the picture."""
    picture = Image.new("RGB", (80, 60), (200, 30, 40))
    cut = open_png(masks.cutout(picture, ring))
    assert cut.mode == "RGBA"
    assert cut.size == (66, 51)
    alpha = np.asarray(cut)[..., 3] > 0
    assert np.array_equal(alpha, ring[5:56, 10:76])
    assert (np.asarray(cut)[alpha][:, :3] == (200, 30, 40)).all()


def test_cutout_leaves_nothing_of_the_background(ring: BoolMask) -> None:
    """What is transparent has no colour either: nobody finds the background under it, and it takes no space."""
    noise = np.random.default_rng(0).integers(1, 256, (60, 80, 3), dtype=np.uint8)
    cut = np.asarray(open_png(masks.cutout(Image.fromarray(noise), ring)))
    inside = ring[5:56, 10:76]
    assert (cut[~inside] == 0).all()
    assert np.array_equal(cut[inside][:, :3], noise[5:56, 10:76][inside])


def test_overlay_is_the_picture_where_nothing_is_drawn(ring: BoolMask) -> None:
    """Far from mask and box the colours are the picture's own, as near as a good JPEG has them."""
    picture = np.zeros((60, 80, 3), dtype=np.uint8)
    picture[..., 0], picture[..., 1], picture[..., 2] = 200, np.arange(80), 30
    seen = np.asarray(open_jpeg(masks.overlay(Image.fromarray(picture), ring, (10, 5, 51, 46))), dtype=int)
    assert np.abs(seen[:, :7] - picture[:, :7]).max() < 8


def test_overlay_tints_the_mask_and_nothing_far_from_it(ring: BoolMask) -> None:
    """The overlay has the picture's size; it changes pixels at the mask and the box only."""
    picture = Image.new("RGB", (80, 60), (20, 20, 20))
    seen = np.asarray(open_jpeg(masks.overlay(picture, ring, (10, 5, 51, 46))), dtype=int)
    assert seen.shape == (60, 80, 3)
    assert seen[10, 30, 0] > 90  # pink, more red than green
    assert seen[10, 30, 0] > seen[10, 30, 1] + 40
    assert np.abs(seen[58, 2] - 20).max() < 4


def test_an_empty_mask_has_every_form() -> None:
    """A mask without a pixel is no error anywhere."""
    empty = np.zeros((6, 8), dtype=np.bool_)
    picture = Image.new("RGB", (8, 6))
    assert masks.polygons(empty) == []
    assert masks.tight_box(empty) == (0.0, 0.0, 0.0, 0.0)
    assert open_png(masks.cutout(picture, empty)).size == (1, 1)
    assert open_jpeg(masks.overlay(picture, empty, (0, 0, 0, 0))).size == (8, 6)
    assert not decode_rle(masks.encode_rle(empty)).any()
