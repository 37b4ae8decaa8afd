"""Overlaps, average precision and intervals."""

import contextlib
import io
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from worker.evaluation.intervals import bootstrap, wilson
from worker.evaluation.measures import average_precision, box_iou, mask_iou, match
from worker.pipeline.results import Box, DetectedBox


def test_overlaps_are_intersections_over_unions() -> None:
    """Of boxes and of masks; nothing overlaps nothing."""
    assert box_iou((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert box_iou((0, 0, 10, 10), (20, 20, 30, 30)) == 0
    assert box_iou((0, 0, 0, 0), (0, 0, 0, 0)) == 0
    first, second = np.zeros((2, 10, 15), np.bool_)
    assert mask_iou(first, second) == 0
    first[:, :10], second[:, 5:] = True, True
    assert mask_iou(first, second) == pytest.approx(1 / 3)


def test_a_truth_is_found_once() -> None:
    """Of two boxes on one object the better scored one is right; what overlaps too little is not."""
    found = [DetectedBox((0, 0, 10, 9), 0.5), DetectedBox((0, 0, 10, 10), 0.9), DetectedBox((50, 50, 60, 54), 0.4)]
    matches = match(found, [(0, 0, 10, 10), (50, 50, 60, 60)], 0.5)
    assert (matches.scores, matches.right, matches.truths) == ((0.9, 0.5, 0.4), (True, False, False), 2)


def test_boxes_on_a_crowd_are_not_counted() -> None:
    """Neither right nor wrong, unless they find an object in it."""
    found = [DetectedBox((0, 0, 10, 10), 0.9), DetectedBox((20, 0, 30, 10), 0.8), DetectedBox((60, 0, 70, 10), 0.7)]
    matches = match(found, [(0, 0, 10, 10)], 0.5, crowds=[(0, 0, 50, 50)])
    assert (matches.scores, matches.right, matches.truths) == ((0.9, 0.7), (True, False), 1)


def random_boxes(rng: np.random.Generator, count: int) -> list[Box]:
    """XYXY, in a picture of 100 x 100 pixels."""
    corners = rng.uniform(0, 60, (count, 2))
    return [
        (x, y, x + width, y + height)
        for (x, y), (width, height) in zip(corners, rng.uniform(5, 40, (count, 2)), strict=True)
    ]


def shift(rng: np.random.Generator, box: Box) -> Box:
    """A box near by, of some area."""
    left, top, right, bottom = np.array(box) + rng.normal(0, 3, 4)
    return (left, top, max(right, left + 1), max(bottom, top + 1))


def xywh(box: Box) -> list[float]:
    """As COCO writes boxes."""
    return [box[0], box[1], box[2] - box[0], box[3] - box[1]]


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("least", [0.5, 0.75])
def test_average_precision_is_cocos(seed: int, least: float) -> None:
    """The same figure as pycocotools gives for the same boxes: right, shifted, made up, on crowds."""
    rng = np.random.default_rng(seed)
    pictures, truths, answers = [], [], []
    for image_id in range(1, 13):
        boxes = random_boxes(rng, int(rng.integers(1, 4)))
        crowds = random_boxes(rng, int(rng.integers(0, 2)))
        shifted = [shift(rng, box) for box in boxes if rng.random() < 0.8]
        found = [DetectedBox(box, float(rng.random())) for box in [*shifted, *random_boxes(rng, 2)]]
        pictures.append(match(found, boxes, least, crowds))
        truths += [truth(image_id, box) for box in boxes]
        truths += [{**truth(image_id, box), "iscrowd": 1} for box in crowds]
        answers += [
            {"image_id": image_id, "category_id": 1, "bbox": xywh(one.box), "score": one.score} for one in found
        ]
    assert average_precision(pictures) == pytest.approx(cocos(truths, answers, least), abs=1e-9)


def truth(image_id: int, box: Box) -> dict[str, Any]:
    """An annotation."""
    bbox = xywh(box)
    return {"image_id": image_id, "category_id": 1, "bbox": bbox, "area": bbox[2] * bbox[3], "iscrowd": 0}


def cocos(truths: list[dict[str, Any]], answers: list[dict[str, Any]], least: float) -> float:
    """What pycocotools says; it prints while it does."""
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "images": [{"id": image_id} for image_id in {found["image_id"] for found in truths}],
            "annotations": [{"id": number, **found} for number, found in enumerate(truths, start=1)],
            "categories": [{"id": 1, "name": "thing"}],
            "info": {},
        }
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(answers), "bbox")
        evaluation.params.iouThrs = np.array([least])
        evaluation.evaluate()
        evaluation.accumulate()
    return float(evaluation.eval["precision"][0, :, 0, 0, -1].mean())


def test_nothing_found_is_no_precision() -> None:
    """Also where there was nothing to be found."""
    assert average_precision([match([], [(0, 0, 9, 9)], 0.5)]) == 0
    assert average_precision([match([DetectedBox((0, 0, 9, 9), 0.9)], [], 0.5)]) == 0


@pytest.mark.parametrize(("hits", "low", "high"), [(0, 0.0, 0.037), (50, 0.404, 0.596), (100, 0.963, 1.0)])
def test_intervals_of_shares_are_wilsons(hits: int, low: float, high: float) -> None:
    """The 95 % interval of a share of 100, as tables of Wilson's interval give it."""
    assert wilson(hits, 100) == pytest.approx((low, high), abs=5e-4)


def test_intervals_of_means_are_the_bootstraps() -> None:
    """Of 400 draws of a normal distribution: the mean ± 1.96 standard errors, nearly; and the same each time."""
    values = list(np.random.default_rng(3).normal(10, 2, 400))
    low, high = bootstrap(values, lambda some: float(np.mean(some)))
    error = 1.96 * float(np.std(values)) / 20
    assert (low, high) == pytest.approx((np.mean(values) - error, np.mean(values) + error), abs=0.03)
    assert bootstrap(values, lambda some: float(np.mean(some))) == (low, high)
