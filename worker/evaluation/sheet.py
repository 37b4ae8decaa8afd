"""A sheet of pictures: the worst answers, each beside what would have been right."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

from worker.evaluation.evaluator import Outcome, picture
from worker.evaluation.outlines import mask_of

COLUMNS = 4
TILE = 320
"""Side of a picture on the sheet, in pixels."""
CAPTION = 40
"""Height of the two lines below it."""
TRUTH, ANSWER = (0, 200, 80), (230, 40, 40)
"""The colours of the true object and of the answer."""


def worst(outcomes: Sequence[Outcome], count: int) -> list[Outcome]:
    """The answers whose masks fit least, the worst first."""
    return sorted(outcomes, key=lambda outcome: outcome.mask_iou)[:count]


def sheet(outcomes: Sequence[Outcome]) -> Image.Image:
    """Their pictures: what should have been cut out is green, what was is red, and what is both is yellow."""
    rows = -(-len(outcomes) // COLUMNS)
    whole = Image.new("RGB", (COLUMNS * TILE, rows * (TILE + CAPTION)), "white")
    draw, font = ImageDraw.Draw(whole), ImageFont.load_default(14)
    for place, outcome in enumerate(outcomes):
        left, top = place % COLUMNS * TILE, place // COLUMNS * (TILE + CAPTION)
        whole.paste(ImageOps.pad(_drawn(outcome), (TILE, TILE), color="white"), (left, top))
        for line, text in enumerate(_caption(outcome)):
            draw.text((left + 4, top + TILE + 2 + 18 * line), text, "black", font)
    return whole


def _drawn(outcome: Outcome) -> Image.Image:
    image = picture(outcome)
    truth = outcome.sample.main.mask(image.height, image.width)
    answer = np.zeros_like(truth) if outcome.mask is None else mask_of(outcome.mask, *truth.shape)
    pixels = np.asarray(image).astype(np.float32)
    _tint(pixels, truth & ~answer, TRUTH)
    _tint(pixels, answer & ~truth, ANSWER)
    _tint(pixels, answer & truth, (230, 200, 40))
    return Image.fromarray(pixels.astype(np.uint8))


def _tint(pixels: NDArray[np.float32], where: NDArray[np.bool_], colour: tuple[int, int, int]) -> None:
    pixels[where] = (pixels[where] + np.array(colour, np.float32)) / 2


def _caption(outcome: Outcome) -> tuple[str, str]:
    words = outcome.sample.description or ", ".join(outcome.sample.labels)
    said = outcome.chosen or "nothing"
    return f"{said} (is {outcome.sample.main.label}), IoU {outcome.mask_iou:.2f}"[:44], words[:44]
