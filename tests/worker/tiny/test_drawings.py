"""Pictures drawn for the things that no emoji shows."""

import numpy as np
import pytest

from worker.tiny.art import rasterise
from worker.tiny.classes import object_classes
from worker.tiny.drawings import DRAWINGS, HELD_OUT_DRAWING, TRAINED_DRAWINGS, draw


def test_every_drawn_class_has_a_drawing() -> None:
    """The class list and the drawings name the same things."""
    assert {thing.name for thing in object_classes() if thing.drawn} == set(DRAWINGS)


def test_names_mean_one_class_each() -> None:
    """No name or synonym belongs to two classes: a prompt is never ambiguous."""
    names = [name for thing in object_classes() for name in thing.names]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("style", [*TRAINED_DRAWINGS, HELD_OUT_DRAWING])
def test_drawings_are_pictures_and_repeatable(style: str) -> None:
    """Every drawing renders to something opaque, the same for the same seed and not for another."""
    for name in DRAWINGS:
        picture = rasterise(draw(name, style, 1), 64)
        assert max(picture.shape[:2]) == 64
        assert (picture[..., 3] == 255).mean() > 0.2
        assert draw(name, style, 1) == draw(name, style, 1) != draw(name, style, 2)
        assert np.unique(picture[..., :3].reshape(-1, 3), axis=0).shape[0] > 2
