"""The comparison with a true mask."""

from io import BytesIO

import pytest
from PIL import Image

from mainmask.truth import intersection_over_union


def mask(left: int = 0, top: int = 0, right: int = 0, bottom: int = 0, size: tuple[int, int] = (10, 10)) -> bytes:
    """A PNG that is white in the box (right and bottom exclusive)."""
    image = Image.new("L", size)
    image.paste(255, (left, top, right, bottom))
    png = BytesIO()
    image.save(png, "PNG")
    return png.getvalue()


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (mask(0, 0, 5, 10), mask(0, 0, 5, 10), 1.0),
        (mask(0, 0, 5, 10), mask(5, 0, 10, 10), 0.0),
        (mask(0, 0, 6, 10), mask(3, 0, 9, 10), 1 / 3),
        (mask(), mask(), 1.0),
    ],
)
def test_intersection_over_union(first: bytes, second: bytes, expected: float) -> None:
    """The IoU is the common area's part of the whole; two empty masks agree."""
    assert intersection_over_union(first, second) == pytest.approx(expected)


def test_masks_of_two_sizes() -> None:
    """Masks of different pictures are not compared."""
    with pytest.raises(ValueError, match="cannot be compared"):
        intersection_over_union(mask(), mask(size=(5, 5)))
