"""What the stages give: frozen dataclasses. Coordinates are pixels of the upright image, boxes are XYXY."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels; right and bottom are exclusive edges."""


@dataclass(frozen=True)
class ModelCard:
    """Which weights gave an answer."""

    name: str
    revision: str
    license: str
    source_revision: str | None = None
    """The hub's commit that was pulled; None for what is of no hub."""


@dataclass(frozen=True)
class Candidate:
    """A label and the probability, among the labels asked, that it names the main object."""

    label: str
    score: float
    fit: float | None = None
    """The probability of this label among the things that a picture may show; None where the models aren't calibrated
    for it. Small for most things: what counts is how it compares with the calibration's `least_fit`."""
    fit_is_share: bool = True
    """False for SigLIP's: the label's own probability, whatever else there may be. No `BoxRule` was fitted to these."""


@dataclass(frozen=True)
class Classification:
    """The candidates, best first; their scores add up to 1."""

    candidates: tuple[Candidate, ...]
    margin: float
    """The best score less the second; 1 where there was no choice."""
    ambiguous: bool
    """True when the margin is too small to be sure."""
    none_fits: bool | None = None
    """True when something else than any candidate is likely to be the main object; None where nothing is known."""
    cut: tuple[str, ...] = ()
    """Labels of which CLIP read only the beginning."""

    @property
    def main_object(self) -> Candidate:
        """The best candidate."""
        return self.candidates[0]


@dataclass(frozen=True)
class Query:
    """A label to look for, and the thresholds for its boxes, highest first: the first that any box reaches counts."""

    label: str
    ladder: tuple[float, ...]


@dataclass(frozen=True)
class DetectedBox:
    """Where the label was found, and how surely: 0 to 1."""

    box: Box
    score: float


@dataclass(frozen=True)
class Detection:
    """The boxes of one label, best first; none when it was not found."""

    label: str
    boxes: tuple[DetectedBox, ...]
    threshold: float
    """The rung of the ladder at which the boxes were found, or the lowest when there are none."""
    best_score: float = 0.0
    """Of all boxes, also where it is too low."""
    omitted: int = 0
    """How many more boxes reach the threshold, all of them different objects, than were taken."""
    is_legible: bool = True
    """False: the model knows no word of the label, and didn't look for it."""
    is_cut: bool = False
    """The model read only the beginning of the label."""


@dataclass(frozen=True)
class Mask:
    """One cut-out object."""

    pixels: NDArray[np.bool_]
    """Shape (height, width)."""
    predicted_iou: float
    """SAM's own estimate of the mask's IoU."""
    stability: float
    """IoU of the masks cut at logits of +1 and -1 (segment_anything's stability score)."""
