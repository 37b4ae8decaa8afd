"""Boxes that are cut out of close-ups: what is shown, and where its mask lies in the picture."""

from unittest.mock import Mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.whole_boxes import WholeBoxes
from worker.pipeline.close_ups import CloseUpSegmenter, window
from worker.pipeline.results import Box

SIZE = (400, 300)


@pytest.mark.parametrize(
    ("box", "shown"),
    [
        ((100, 100, 200, 150), (50, 25, 250, 225)),
        ((0, 0, 40, 80), (0, 0, 100, 120)),
        ((0, 0, 400, 300), (0, 0, 400, 300)),
        ((380, 10, 420, 20), (360, 0, 400, 55)),
    ],
    ids=["within", "at a corner", "the whole picture", "beyond the side"],
)
def test_the_window_is_a_square_around_the_box_inside_the_picture(box: Box, shown: tuple[int, ...]) -> None:
    """Twice the box's longer side wide, cut off where the picture ends."""
    assert window(box, SIZE, 2.0) == shown


side = st.integers(1, 3000)
share = st.floats(-0.2, 1.2)


@given(size=st.tuples(side, side), corners=st.tuples(share, share, share, share), context=st.floats(1.2, 4))
def test_every_window_has_pixels_of_the_picture(
    size: tuple[int, int], corners: tuple[float, float, float, float], context: float
) -> None:
    """However small, large or far outside the box is; and what of it is inside the picture is in the window."""
    (x0, x1), (y0, y1) = sorted(corners[::2]), sorted(corners[1::2])
    box = (x0 * size[0], y0 * size[1], x1 * size[0], y1 * size[1])
    left, top, right, bottom = window(box, size, context)
    assert 0 <= left < right <= size[0]
    assert 0 <= top < bottom <= size[1]
    if box[0] >= 0 and box[2] <= size[0] and box[2] - box[0] > 10:
        assert left <= box[0] + 1
        assert right >= box[2] - 1


def test_masks_lie_where_their_boxes_are() -> None:
    """Each box is shown alone, in its own surroundings; its mask is as large as the picture."""
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8))
    segmenter = Mock(wraps=WholeBoxes())
    boxes = [(100.0, 100.0, 200.0, 150.0), (300.0, 200.0, 400.0, 300.0)]
    masks = CloseUpSegmenter(segmenter, context=2.0).segment(picture, boxes)
    assert [call.args[0].tobytes() for call in segmenter.segment.call_args_list] == [
        picture.crop((50, 25, 250, 225)).tobytes(),
        picture.crop((250, 150, 400, 300)).tobytes(),
    ]
    for mask, (left, top, right, bottom) in zip(masks, boxes, strict=True):
        expected = np.zeros((300, 400), bool)
        expected[int(top) : int(bottom), int(left) : int(right)] = True
        assert np.array_equal(mask.pixels, expected)
        assert (mask.predicted_iou, mask.stability) == (0.8, 0.9)
