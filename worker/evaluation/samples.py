"""What models are asked when they are measured, and what is known of the answers."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.evaluation.outlines import mask_of
from worker.pipeline.results import Box


@dataclass(frozen=True)
class Truth:
    """One annotated object. XYXY, in pixels."""

    label: str
    box: Box
    area: float
    segmentation: Any
    """COCO's: polygons, or a run-length code."""

    def mask(self, height: int, width: int) -> NDArray[np.bool_]:
        """Shape (height, width); raises ValueError where the annotation's is none, or of another size."""
        return mask_of(self.segmentation, height, width)


@dataclass(frozen=True)
class Sample:
    """One question: a picture, its main object, and the words to find it by."""

    path: Path
    main: Truth
    labels: tuple[str, ...]
    """The candidates; none where there is a description."""
    description: str | None
    truths: tuple[Truth, ...]
    """All objects of the main one's kind, itself among them."""
    crowds: tuple[Box, ...] = ()
    """Where there are many of its kind, which nobody has told apart: boxes on them are neither right nor wrong."""
    size: tuple[int, int] | None = None
    """Width and height of the picture that was annotated, where the file says them."""
