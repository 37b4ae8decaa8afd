"""Overlaps and average precision."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from worker.pipeline.results import Box, DetectedBox

RECALLS = np.linspace(0, 1, 101)
"""At which COCO reads precision off."""


def mask_iou(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Intersection over union of two masks of one shape; 0 for two empty ones."""
    return float((first & second).sum() / max(1, (first | second).sum()))


def box_iou(first: Box, second: Box) -> float:
    """Intersection over union of two XYXY boxes; 0 for two empty ones."""
    shared = _shared(first, second)
    union = _area(first) + _area(second) - shared
    return shared / union if union else 0.0


def _share_on(crowd: Box, box: Box) -> float:
    return _shared(crowd, box) / area if (area := _area(box)) else 0.0


def _shared(first: Box, second: Box) -> float:
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    return max(0.0, width) * max(0.0, height)


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


@dataclass(frozen=True)
class Matches:
    """The boxes found in one picture, best first, and which of them are right."""

    scores: tuple[float, ...]
    right: tuple[bool, ...]
    truths: int
    """How many boxes there are to be found."""


def match(found: Sequence[DetectedBox], truths: Sequence[Box], least_iou: float, crowds: Sequence[Box] = ()) -> Matches:
    """Each box, best first, takes the truth that it overlaps most of those that are left, if by `least_iou`.

    One that takes none, and of which that share lies on a crowd, is not counted.
    """
    ranked = sorted(found, key=lambda box: box.score, reverse=True)
    left, scores, right = list(truths), [], []
    for box in ranked:
        overlaps = [box_iou(box.box, truth) for truth in left]
        best = int(np.argmax(overlaps)) if overlaps else -1
        is_right = best >= 0 and overlaps[best] >= least_iou
        if is_right:
            del left[best]
        elif any(_share_on(crowd, box.box) >= least_iou for crowd in crowds):
            continue
        scores.append(box.score)
        right.append(is_right)
    return Matches(tuple(scores), tuple(right), len(truths))


def average_precision(pictures: Sequence[Matches]) -> float:
    """Precision, averaged over 101 recalls, of all pictures' boxes together (COCO's AP at one overlap)."""
    truths = sum(picture.truths for picture in pictures)
    scores = np.array([score for picture in pictures for score in picture.scores])
    right = np.array([is_right for picture in pictures for is_right in picture.right], dtype=np.bool_)
    if not truths or not len(scores):
        return 0.0
    hits = np.cumsum(right[np.argsort(-scores, kind="stable")])
    precision = hits / np.arange(1, len(hits) + 1)
    # What is reached with more recall counts for less recall, too.
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(hits / truths, RECALLS, side="left")
    return float(np.append(precision, 0.0)[np.minimum(places, len(precision))].mean())
