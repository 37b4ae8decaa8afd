"""Variations of one object's picture."""

import numpy as np
import pytest
from numpy.typing import NDArray

from worker.tiny.sprites import vary

Picture = NDArray[np.uint8]
ROOM = (200, 200)


def drawn(colour: tuple[int, int, int]) -> Picture:
    """The outline of a square, 96 pixels wide and 8 thick, with nothing inside."""
    picture = np.zeros((96, 96, 4), np.uint8)
    picture[..., :3] = colour
    picture[..., 3] = 255
    picture[8:-8, 8:-8, 3] = 0
    return picture


def middle(picture: Picture) -> Picture:
    """What shows in the middle, whatever the pose."""
    height, width = picture.shape[:2]
    return picture[height // 2 - 2 : height // 2 + 2, width // 2 - 2 : width // 2 + 2]


@pytest.mark.parametrize("seed", range(5))
def test_line_art_is_coloured_in(seed: int) -> None:
    """What lines of one colour enclose becomes a surface: it is part of the object."""
    varied = vary(np.random.default_rng(seed), drawn((0, 0, 0)), 3000, ROOM, upright=True)
    assert (middle(varied)[..., 3] == 255).all()


def test_each_time_in_other_colours() -> None:
    """The shape is what stays."""
    colours = {
        tuple(middle(vary(np.random.default_rng(seed), drawn((0, 0, 0)), 3000, ROOM, upright=True))[0, 0])
        for seed in range(8)
    }
    assert len(colours) > 4


def test_coloured_art_keeps_its_holes() -> None:
    """A ring in two colours is a ring: only drawings of one colour have room for paint."""
    picture = drawn((200, 30, 30))
    picture[:48, :, :3] = (30, 30, 200)
    varied = vary(np.random.default_rng(0), picture, 3000, ROOM, upright=True)
    assert (middle(varied)[..., 3] == 0).all()


def test_a_varied_picture_has_the_area_that_was_asked_for() -> None:
    """About so many opaque pixels, and never more than there is room for."""
    picture = drawn((200, 30, 30))
    picture[8:-8, 8:-8] = (30, 30, 200, 255)
    rng = np.random.default_rng(3)
    areas = [(vary(rng, picture, 2500, ROOM, upright=False)[..., 3] > 127).sum() for _ in range(20)]
    assert 0.8 < np.median(areas) / 2500 < 1.25
    small = vary(rng, picture, 2500, (30, 30), upright=False)
    assert max(small.shape[:2]) <= 36
