"""Stage 3 for small segmentation models: each box is cut out of a close-up instead of the whole picture."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from PIL import Image

from worker.pipeline.results import Box, Mask
from worker.pipeline.segment import Segmenter

Window = tuple[int, int, int, int]
"""Left, top, right and bottom, in whole pixels of the picture."""


def window(box: Box, size: tuple[int, int], context: float) -> Window:
    """The square around an XYXY pixel box, `context` times as wide as the box's longer side, inside (width, height)."""
    left, top, right, bottom = box
    reach = max(right - left, bottom - top) * context / 2
    middle = ((left + right) / 2, (top + bottom) / 2)
    start = [min(max(0, round(at - reach)), side - 1) for at, side in zip(middle, size, strict=True)]
    end = [max(since + 1, min(side, round(at + reach))) for since, at, side in zip(start, middle, size, strict=True)]
    return start[0], start[1], end[0], end[1]


class CloseUpSegmenter(Segmenter):
    """Cuts boxes out of what is around them. Threads may share it.

    A model of few pixels sees the legs of a crab so. Each box costs a run of the encoder; models of 1,024 pixels have
    no need of it.
    """

    def __init__(self, segmenter: Segmenter, context: float) -> None:
        """`segmenter` is shown close-ups as if they were pictures.

        `context` is how much of the picture they show, in multiples of the box's longer side.
        """
        self.inner = segmenter
        self._context = context

    def segment(self, image: Image.Image, boxes: Sequence[Box]) -> list[Mask]:
        """One mask, as large as the RGB picture, for each XYXY pixel box.

        Raises `OutOfMemory` and `AnswerNotFinite`.
        """
        return [self._cut_out(image, box) for box in boxes]

    def _cut_out(self, image: Image.Image, box: Box) -> Mask:
        left, top, right, bottom = shown = window(box, image.size, self._context)
        moved = (box[0] - left, box[1] - top, box[2] - left, box[3] - top)
        mask = self.inner.segment(image.crop(shown), [moved])[0]
        pixels = np.zeros((image.height, image.width), bool)
        pixels[top:bottom, left:right] = mask.pixels
        return replace(mask, pixels=pixels)
