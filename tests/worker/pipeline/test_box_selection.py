"""The ladder, non-maximum suppression and the cap."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.ops import box_iou

from db.errors import AnswerNotFinite
from worker.pipeline.box_selection import NMS_IOU, select, to_pixels

LADDER = (0.5, 0.35, 0.25)
APART = torch.tensor([[0.0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10]])


@pytest.mark.parametrize(
    ("scores", "threshold", "taken"),
    [([0.9, 0.6, 0.4], 0.5, 2), ([0.4, 0.36, 0.3], 0.35, 2), ([0.3, 0.2, 0.25], 0.25, 2), ([0.5, 0.1, 0.1], 0.5, 1)],
)
def test_the_first_rung_that_any_box_reaches_counts(scores: list[float], threshold: float, taken: int) -> None:
    """A rung includes its own value, and boxes between it and the next are left out."""
    selection = select(APART, torch.tensor(scores), LADDER, 10)
    assert (selection.threshold, len(selection.boxes), selection.omitted) == (threshold, taken, 0)


def test_below_the_ladder_nothing_is_taken() -> None:
    """The best score is told all the same."""
    selection = select(APART, torch.tensor([0.2, 0.1, 0.24]), LADDER, 10)
    assert (selection.boxes, selection.threshold) == ((), 0.25)
    assert selection.best_score == pytest.approx(0.24)


def test_what_the_cap_leaves_out_is_counted() -> None:
    """The best stay."""
    selection = select(APART, torch.tensor([0.6, 0.9, 0.7]), LADDER, 2)
    assert [box.score for box in selection.boxes] == pytest.approx([0.9, 0.7])
    assert selection.omitted == 1


def test_the_same_object_is_taken_once() -> None:
    """Of boxes that overlap the best stays."""
    selection = select(torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9]]), torch.tensor([0.6, 0.9]), LADDER, 10)
    assert [box.box for box in selection.boxes] == [(0, 0, 10, 9)]


@pytest.mark.parametrize("score", [math.nan, math.inf])
def test_numbers_gone_wrong_are_no_boxes(score: float) -> None:
    """Half precision can overflow: such a box is none, and the others stand."""
    selection = select(APART, torch.tensor([score, 0.6, 0.1]), LADDER, 10)
    assert [box.box for box in selection.boxes] == [(20, 0, 30, 10)]


@pytest.mark.parametrize(("boxes", "scores"), [(APART, [math.nan] * 3), (APART * math.nan, [0.9, 0.6, 0.1])])
def test_nothing_but_numbers_gone_wrong_is_no_answer(boxes: torch.Tensor, scores: list[float]) -> None:
    """A detector whose weights are spoilt hasn't looked: nobody is told that the thing isn't there."""
    with pytest.raises(AnswerNotFinite):
        select(boxes, torch.tensor(scores), LADDER, 10)


def test_boxes_outside_the_picture_are_not_taken() -> None:
    """Clipped to the picture they have no area, and there would be nothing to cut out."""
    boxes = to_pixels(torch.tensor([[1.5, 0.5, 0.2, 0.2], [0.5, 0.5, 0.5, 0.5]]), 100, 80)
    selection = select(boxes, torch.tensor([0.9, 0.6]), LADDER, 10)
    assert [box.box for box in selection.boxes] == [(25, 20, 75, 60)]


def test_no_boxes_at_all() -> None:
    """A model may propose none."""
    assert select(torch.zeros(0, 4), torch.zeros(0), LADDER, 1).boxes == ()


BOXES = st.lists(st.tuples(*[st.floats(0, 1, width=32)] * 5), max_size=30)


@given(proposed=BOXES, maximum=st.integers(1, 5))
def test_any_boxes_give_a_sane_selection(proposed: list[tuple[float, ...]], maximum: int) -> None:
    """At most so many, best first, at or over the threshold, inside the picture, no two of the same object."""
    values = torch.tensor(proposed).reshape(-1, 5)
    selection = select(to_pixels(values[:, :4], 64, 48), values[:, 4], LADDER, maximum)
    scores = [box.score for box in selection.boxes]
    assert len(scores) <= maximum
    assert scores == sorted(scores, reverse=True)
    assert all(score >= selection.threshold - 1e-6 for score in scores)
    for left, top, right, bottom in (box.box for box in selection.boxes):
        assert 0 <= left < right <= 64
        assert 0 <= top < bottom <= 48
    if len(scores) > 1:
        overlaps = box_iou(*[torch.tensor([box.box for box in selection.boxes])] * 2)
        assert overlaps.fill_diagonal_(0).max() <= NMS_IOU + 1e-6
