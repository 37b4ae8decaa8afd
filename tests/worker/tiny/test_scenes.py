"""Composed scenes."""

import numpy as np
import pytest
from numpy.typing import NDArray

from worker.tiny.scenes import CENTRE_MARGIN, MAIN_AREA_RATIO, Scene, box_of, compose, mosaic

Sprites = list[list[NDArray[np.uint8]]]


def _scenes(sprites: Sprites, count: int = 25) -> list[Scene]:
    return [compose(np.random.default_rng(seed), sprites, 160, 120, 1 + seed % 4) for seed in range(count)]


def test_the_main_object_is_the_largest_and_most_central(sprites: Sprites) -> None:
    """No other object has more than 1 / 1.6 of the main object's visible area or a centre as near the middle."""
    for scene in _scenes(sprites):
        areas = [scene.mask(k).sum() for k in range(len(scene.labels))]
        boxes = scene.boxes()
        middles = (boxes[:, :2] + boxes[:, 2:]) / 2 / (160, 120) - 0.5
        distances = np.hypot(middles[:, 0], middles[:, 1])
        for other in range(1, len(areas)):
            assert areas[0] >= MAIN_AREA_RATIO * areas[other]
            assert distances[0] + CENTRE_MARGIN <= distances[other] + 1e-6
        assert scene.main == 0


def test_the_main_objects_class_is_nowhere_else(sprites: Sprites) -> None:
    """A name that picks the main object out picks one object: only the others may be alike."""
    assert all(scene.labels.count(scene.labels[0]) == 1 for scene in _scenes(sprites))


def test_boxes_are_tight(sprites: Sprites) -> None:
    """Every box holds its object's visible pixels, and each of its edges touches one."""
    for scene in _scenes(sprites, 8):
        for position, (left, top, right, bottom) in enumerate(scene.boxes().astype(int)):
            mask = scene.mask(position)
            assert mask[top:bottom, left:right].sum() == mask.sum()
            inside = mask[top:bottom, left:right]
            assert inside[0].any()
            assert inside[-1].any()
            assert inside[:, 0].any()
            assert inside[:, -1].any()


def test_the_same_seed_makes_the_same_scene(sprites: Sprites) -> None:
    """Training data can be made again from its seed, and another seed makes another scene."""
    first, again, other = (compose(np.random.default_rng(seed), sprites, 160, 120, 3) for seed in (5, 5, 6))
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.instances, again.instances)
    assert first.labels == again.labels
    assert not np.array_equal(first.image, other.image)


def test_mosaics_number_their_objects_without_gaps(sprites: Sprites) -> None:
    """Each label of a mosaic has pixels, and no pixel belongs to an object without a label."""
    scene = mosaic(np.random.default_rng(1), sprites, 128)
    assert 9 <= len(scene.labels) <= 16
    assert set(np.unique(scene.instances)) - {0} == set(range(1, len(scene.labels) + 1))


@pytest.mark.parametrize("shift", [0, 3])
def test_boxes_end_after_the_last_pixel(shift: int) -> None:
    """Right and bottom are exclusive: the box of one pixel is one wide and one high."""
    mask = np.zeros((6, 8), bool)
    mask[2, 1 + shift] = True
    assert box_of(mask).tolist() == [1 + shift, 2, 2 + shift, 3]
