"""Masks moved to the picture's edges."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from worker.pipeline.graph_cut import SURE, snap
from worker.pipeline.masks import BoolMask

SIZES = [(300, 200), (64, 48), (900, 400)]


def disc(size: tuple[int, int], grown: float = 1.0) -> BoolMask:
    """The mask of a disc in the middle, three fifths as wide as the shorter side, or `grown` times that."""
    width, height = size
    rows, columns = np.ogrid[:height, :width]
    radius = 0.3 * min(size) * grown
    return np.asarray((columns - width / 2 + 0.5) ** 2 + (rows - height / 2 + 0.5) ** 2 < radius**2)


def picture(size: tuple[int, int]) -> Image.Image:
    """A red disc on blue, with a little noise."""
    pixels = np.where(disc(size)[..., None], (200, 40, 30), (30, 60, 180))
    noise = np.random.default_rng(0).normal(0, 6, pixels.shape)
    return Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))


def logits(size: tuple[int, int], edge: float = SURE / 2) -> NDArray[np.float32]:
    """Of a model that takes the disc for one of half the size, sure of its middle, and of what is far outside."""
    unsure = np.where(disc(size, 0.7), edge, -edge)
    return np.where(disc(size, 0.4), 5, np.where(disc(size, 1.4), unsure, -5)).astype(np.float32)


def iou(first: BoolMask, second: BoolMask) -> float:
    """Intersection over union."""
    return float((first & second).sum() / (first | second).sum())


@pytest.mark.parametrize("size", SIZES)
def test_the_edge_is_the_pictures_own(size: tuple[int, int]) -> None:
    """What the model is unsure of goes to the side whose colours it has."""
    before, after = (iou(mask, disc(size)) for mask in (logits(size) > 0, snap(picture(size), logits(size))))
    assert before < 0.6
    assert after > 0.95


def test_what_the_model_is_sure_of_stays() -> None:
    """A red thing beside the object is no part of it, and a blue spot in the middle is."""
    size = (300, 200)
    image = picture(size)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 40, 40), (200, 40, 30))
    draw.rectangle((145, 95, 155, 105), (30, 60, 180))
    mask = snap(image, logits(size))
    assert not mask[:40, :40].any()
    assert mask[95:105, 145:155].all()


@pytest.mark.parametrize("size", [*SIZES, (1, 1), (1, 700), (3, 2)])
@pytest.mark.parametrize("value", [-3.0, -0.1, 0.1, 3.0])
def test_all_and_nothing_stay(size: tuple[int, int], value: float) -> None:
    """There are no colours to tell apart."""
    mask = snap(Image.new("RGB", size, "gray"), np.full((size[1], size[0]), value, np.float32))
    assert mask.shape == (size[1], size[0])
    assert (mask == (value > 0)).all()


def test_a_picture_of_one_colour_has_a_mask_all_the_same() -> None:
    """Where nothing can be learned from colours the cut still has a side for every pixel, and keeps the sure ones."""
    size = (120, 90)
    mask = snap(Image.new("RGB", size, "gray"), logits(size))
    assert mask[disc(size, 0.35)].all()
    assert not mask[~disc(size, 1.45)].any()


@pytest.mark.parametrize("side", [1, 3, 4, 10])
@pytest.mark.parametrize("outside", [-SURE / 2, -8.0], ids=["unsure", "sure"])
@pytest.mark.parametrize("size", [(1000, 1000), (200, 100)])
def test_a_thing_of_a_few_pixels_is_not_lost(size: tuple[int, int], outside: float, side: int) -> None:
    """Where the picture has no edge to cut at, and no colour of the thing's own, the model's edges stay."""
    few = np.full((size[1], size[0]), outside, np.float32)
    few[50 : 50 + side, 60 : 60 + side] = SURE / 2
    mask = snap(Image.new("RGB", size, "white"), few)
    assert mask[50 : 50 + side, 60 : 60 + side].any()


def test_the_same_picture_has_the_same_mask() -> None:
    """Also in several threads at once: colours are grouped from the same start."""
    images = [picture(size) for size in SIZES]
    alone = [snap(image, logits(image.size)) for image in images]
    with ThreadPoolExecutor(4) as threads:
        together = list(
            threads.map(lambda number: snap(images[number % 3], logits(images[number % 3].size)), range(24))
        )
    assert all((mask == alone[number % 3]).all() for number, mask in enumerate(together))
