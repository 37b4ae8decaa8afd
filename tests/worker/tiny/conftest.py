"""Pictures of made-up things, so that scenes need no fetched art."""

import numpy as np
import pytest
from numpy.typing import NDArray


@pytest.fixture(scope="session")
def sprites() -> list[list[NDArray[np.uint8]]]:
    """A disc, a bar, a ring and a triangle in plain colours."""
    y, x = np.mgrid[-1:1:64j, -1:1:64j]
    shapes = (x**2 + y**2 < 1, np.abs(x) < 0.3, np.abs(np.hypot(x, y) - 0.7) < 0.25, y > 2 * np.abs(x) - 1)
    colours = ((220, 40, 40), (40, 90, 220), (30, 160, 70), (240, 190, 30))
    return [[_paint(shape, colour)] for shape, colour in zip(shapes, colours, strict=True)]


def _paint(shape: NDArray[np.bool_], colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    picture = np.zeros((*shape.shape, 4), np.uint8)
    picture[shape] = (*colour, 255)
    columns = np.flatnonzero(shape.any(0))
    return picture[:, columns[0] : columns[-1] + 1]
