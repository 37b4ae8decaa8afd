"""A small model's mask moved to the edges that the picture itself has."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from worker.pipeline.masks import BoolMask

Refine = Callable[[Image.Image, NDArray[np.float32]], BoolMask]
"""From an RGB picture and a mask's logits, (height, width), to the mask."""

SIDE = 256
"""The longer side that is cut at, in pixels: a cut takes as long as there are pixels, and the model sees no more."""
SURE = 1.0
"""In logits: what is surer than this stays as it is."""
ROUNDS = 1
"""How often colours are learned and the cut is made; a second round brought no more."""
GAUSSIANS = (1, 65)
"""The shape of OpenCV's five Gaussians of colours, for what is in the mask, and for what is not."""


def snap(image: Image.Image, logits: NDArray[np.float32]) -> BoolMask:
    """The mask, with the pixels that the model is unsure of given to the side whose colours they have.

    The cut runs where neighbours differ most. Source: Rother, Kolmogorov and Blake, "GrabCut", 2004; the cut is
    OpenCV's. A mask of all pixels or none stays, and so does one of which the cut would leave nothing.
    """
    height, width = logits.shape
    scale = SIDE / max(height, width)
    size = (max(2, round(width * scale)), max(2, round(height * scale)))
    small = cv2.resize(logits, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    is_inside = small > 0
    if is_inside.all() or not is_inside.any():
        return np.asarray(logits > 0)
    labels = np.where(is_inside, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[small > SURE] = cv2.GC_FGD
    labels[small < -SURE] = cv2.GC_BGD
    pixels = cv2.resize(np.asarray(image), size, interpolation=cv2.INTER_AREA)
    cv2.setRNGSeed(0)  # colours are grouped from a random start: the same picture gets the same mask
    cv2.grabCut(pixels, labels, (0, 0, 1, 1), np.zeros(GAUSSIANS), np.zeros(GAUSSIANS), ROUNDS, cv2.GC_INIT_WITH_MASK)
    cut = ((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)).astype(np.float32)
    mask = np.asarray(cv2.resize(cut, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5)
    # A few pixels in the colours of what is around them go to the other side whole: the thing is there all the same.
    return mask if mask.any() else np.asarray(logits > 0)
