"""What the models are trained to minimise, on toy input."""

import numpy as np
import pytest
import torch

from worker.tiny.clip import _only_present
from worker.tiny.detection_loss import Targets, match, owner_of, set_loss
from worker.tiny.sam import jitter, mask_loss

BOXES = torch.tensor([[0.25, 0.25, 0.2, 0.2], [0.7, 0.7, 0.4, 0.3]])
REACH = torch.tensor([0.01, 0.01])


def _targets() -> Targets:
    return Targets(BOXES, torch.tensor([[True, False, False], [False, True, False]]), REACH)


def test_a_right_mask_costs_less_than_a_wrong_one() -> None:
    """The mask loss falls to nearly nothing at the truth, and the IoU that it reports is the true one."""
    truth = torch.zeros(1, 16, 16)
    truth[:, 4:12, 4:12] = 1
    right, figures = mask_loss((truth - 0.5) * 40, torch.ones(1), truth)
    wrong, _ = mask_loss((0.5 - truth) * 40, torch.ones(1), truth)
    assert figures["iou"] == 1
    assert right < 0.01
    assert wrong > 1


def test_queries_are_matched_to_the_objects_that_they_show() -> None:
    """Whatever the order of the queries, each object gets the one with its box and its token."""
    logits = torch.full((1, 3, 3), -4.0)
    logits[0, 2, 0] = logits[0, 0, 1] = 4.0
    boxes = torch.stack([BOXES[1], torch.tensor([0.5, 0.5, 0.9, 0.9]), BOXES[0]])[None]
    [(queries, objects)] = match(logits, boxes, [_targets()])
    assert dict(zip(queries.tolist(), objects.tolist(), strict=True)) == {2: 0, 0: 1}


def test_padding_tokens_do_not_count() -> None:
    """Minus infinity at tokens that do not exist leaves the detector's loss finite, with and without objects."""
    nothing = Targets(torch.zeros(0, 4), torch.zeros(0, 3, dtype=torch.bool), REACH)
    logits = torch.zeros(2, 3, 3)
    logits[:, :, 2] = -torch.inf
    valid = torch.tensor([[True, True, False]] * 2)
    boxes = torch.full((2, 3, 4), 0.5)
    assert set_loss(logits, boxes, valid, [_targets(), nothing]).isfinite()
    assert set_loss(logits[:1], boxes[:1], valid[:1], [nothing]).isfinite()


def test_a_cell_belongs_to_the_smallest_object_around_it() -> None:
    """Of two objects one over the other the smaller owns the cell; outside, and outside the image, nobody does."""
    boxes = torch.tensor([[0.5, 0.5, 0.8, 0.8], [0.5, 0.5, 0.2, 0.2]])
    cells = torch.tensor([[0.5, 0.5], [0.6, 0.6], [0.95, 0.95], [torch.inf, torch.inf]])
    assert owner_of(cells, boxes, REACH).tolist() == [1, 0, -1, -1]


def test_absent_classes_are_left_out() -> None:
    """Among present names only scores of classes that are in the image remain."""
    scores = _only_present(torch.arange(4.0)[None], torch.tensor([[2, 0, -1]]))
    assert scores.tolist() == [[0, -torch.inf, 2, -torch.inf]]


@pytest.mark.parametrize("seed", range(5))
def test_jittered_boxes_stay_boxes_inside_the_picture(seed: int) -> None:
    """However small the object, its jittered box has an area and does not leave the picture."""
    rng = np.random.default_rng(seed)
    boxes = np.array([[0, 0, 3, 2], [90, 60, 100, 64], [10, 10, 80, 50]], np.float32)
    left, top, right, bottom = jitter(rng, boxes, np.array([64, 100], np.int32)).T
    assert (left < right).all()
    assert (top < bottom).all()
    assert min(left.min(), top.min()) >= 0
    assert right.max() <= 100
    assert bottom.max() <= 64
