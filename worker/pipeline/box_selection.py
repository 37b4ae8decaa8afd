"""Which of a model's scored boxes are taken: threshold ladder, non-maximum suppression, a cap."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torchvision.ops import box_convert, clip_boxes_to_image, nms

from db.errors import AnswerNotFinite
from worker.pipeline.results import Box, DetectedBox

NMS_IOU = 0.7
SHORTEST_SIDE = 1.0
"""Pixels: what is thinner lies outside the picture, or is nothing that could be cut out."""


@dataclass(frozen=True)
class Selection:
    """The boxes that are taken, best first, and how they came to be."""

    boxes: tuple[DetectedBox, ...]
    threshold: float
    """The rung at which they were taken, or the lowest where there are none."""
    best_score: float
    """Of all boxes, also where it is too low; 0 where there are none."""
    omitted: int
    """How many more reach the threshold, all of them different objects, than were taken."""


def to_pixels(boxes: torch.Tensor, width: int, height: int) -> torch.Tensor:
    """From (n, 4) relative centre-and-size to XYXY pixels inside the picture, float32."""
    scale = torch.tensor([width, height, width, height], dtype=torch.float32, device=boxes.device)
    pixels: torch.Tensor = clip_boxes_to_image(box_convert(boxes.float(), "cxcywh", "xyxy") * scale, (height, width))
    return pixels


def select(boxes: torch.Tensor, scores: torch.Tensor, ladder: Sequence[float], maximum: int | None = None) -> Selection:
    """Take the boxes that reach the first rung that any box reaches.

    Args:
        boxes: (n, 4), XYXY in pixels.
        scores: (n,), 0 to 1. A box or score that isn't finite is left out.
        ladder: thresholds, highest first.
        maximum: how many boxes at most, 1 or more; None: all.

    Raises `AnswerNotFinite` where nothing is: that isn't to say that nothing was found.
    """
    is_finite = scores.isfinite() & boxes.isfinite().all(-1)
    if len(scores) and not is_finite.any():
        raise AnswerNotFinite("boxes")
    boxes, scores = boxes[is_finite], scores[is_finite].float()
    is_box = ((boxes[:, 2:] - boxes[:, :2]) >= SHORTEST_SIDE).all(-1)
    boxes, scores = boxes[is_box].float(), scores[is_box]
    best = float(scores.max()) if len(scores) else 0.0
    threshold = next((rung for rung in ladder if best >= rung), None)
    if threshold is None:
        return Selection((), ladder[-1], best, omitted=0)
    taken = scores >= threshold
    boxes, scores = boxes[taken], scores[taken]
    # Best first; in float32, because nms has no half-precision kernel on the CPU.
    kept = nms(boxes, scores, NMS_IOU)
    best_first = [DetectedBox(_box(boxes[index].tolist()), float(scores[index])) for index in kept[:maximum].tolist()]
    return Selection(tuple(best_first), threshold, best, omitted=len(kept) - len(best_first))


def _box(edges: list[float]) -> Box:
    left, top, right, bottom = edges
    return (left, top, right, bottom)
