"""Asking a pipeline all the questions of a dataset: each stage with the truth about those before it, then the whole."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from db.errors import ImageOutOfShape, ImageTooLarge, InvalidImage, NoCandidates
from worker.evaluation.errors import QuestionInvalid
from worker.evaluation.measures import Matches, box_iou, mask_iou, match
from worker.evaluation.samples import Sample
from worker.pipeline.images import decode
from worker.pipeline.masks import encode_rle
from worker.pipeline.pipeline import Pipeline

LEAST_BOX_IOU = 0.5
"""From which on a box shows the object that was meant."""

Extract = Callable[[str], Sequence[str]]
"""From a description to candidates."""


@dataclass(frozen=True)
class Outcome:
    """What came of one question."""

    sample: Sample
    chosen: str
    """Empty where the description named nothing."""
    is_right: bool
    """The label is the main object's; of a description: the box is."""
    matches: dict[float, Matches]
    """Of the detector, asked for the true label, by least IoU."""
    box_iou: float
    """Of its best box with the main object."""
    mask_iou_in_box: float
    """Of the segmenter, given the true box."""
    mask_iou: float
    """Of the whole; 0 where the chosen object was another one, or wasn't found."""
    mask: dict[str, object] | None
    """Of the whole: COCO's run lengths, or None. As pixels, those of a large dataset would fill the memory."""
    choices: int


@dataclass(frozen=True)
class Evaluator:
    """Measures one pipeline."""

    pipeline: Pipeline
    extract: Extract

    def ask(self, sample: Sample) -> Outcome:
        """One question, to each stage and to all together.

        Raises `QuestionInvalid` when picture or annotation can't be read, or don't fit, and `OutOfMemory`.
        """
        data, image, truth = _read(sample)
        found = self.pipeline.detector.detect(image, sample.main.label, every_instance=True)
        boxes = [other.box for other in sample.truths]
        inside = self.pipeline.segmenter.segment(image, [sample.main.box])[0]
        labels = list(sample.labels or self.extract(sample.description or ""))
        chosen, box, mask = self._whole(data, labels)
        overlap = box_iou(box, sample.main.box) if box else 0.0
        is_right = overlap >= LEAST_BOX_IOU if sample.description else chosen == sample.main.label
        return Outcome(
            sample=sample,
            chosen=chosen,
            is_right=is_right,
            matches={least: match(found.boxes, boxes, least, sample.crowds) for least in (0.5, 0.75)},
            box_iou=box_iou(found.boxes[0].box, sample.main.box) if found.boxes else 0.0,
            mask_iou_in_box=mask_iou(inside.pixels, truth),
            mask_iou=mask_iou(mask, truth) if mask is not None and is_right else 0.0,
            mask=None if mask is None else encode_rle(mask),
            choices=len(labels),
        )

    def _whole(
        self, data: bytes, labels: Sequence[str]
    ) -> tuple[str, tuple[float, float, float, float] | None, NDArray[np.bool_] | None]:
        try:
            found = self.pipeline.run(data, labels)
        except NoCandidates:
            return "", None, None
        label = found.detection.label
        if not found.masks:
            return label, None, None
        return label, found.detection.boxes[0].box, found.masks[0].pixels


def picture(outcome: Outcome) -> Image.Image:
    """The question's picture, upright, RGB."""
    return decode(outcome.sample.path.read_bytes())


def _read(sample: Sample) -> tuple[bytes, Image.Image, NDArray[np.bool_]]:
    """The picture's file, the picture, and the main object's mask."""
    try:
        data = sample.path.read_bytes()
        image = decode(data)
        if sample.size not in {None, image.size}:
            raise QuestionInvalid(
                sample.path, f"it was annotated at {_pixels(sample.size)}, and has {_pixels(image.size)}"
            )
        mask = sample.main.mask(image.height, image.width)
        left, top, right, bottom = sample.main.box
        if not mask.any() or left >= image.width or top >= image.height or right <= 0 or bottom <= 0:
            raise QuestionInvalid(sample.path, "nothing of its main object's box or mask lies on the picture")
        return data, image, mask
    except (InvalidImage, ImageTooLarge, ImageOutOfShape) as error:
        raise QuestionInvalid(sample.path, str(error)) from error
    except (OSError, ValueError, TypeError) as error:
        raise QuestionInvalid(sample.path, getattr(error, "strerror", None) or str(error)) from error


def _pixels(size: tuple[int, int] | None) -> str:
    return "{} x {} pixels".format(*size or (0, 0))
