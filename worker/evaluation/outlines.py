"""COCO's three ways to write a mask: polygons, run lengths, and run lengths as a short text.

Annotation files come from anywhere, and pycocotools reads run lengths that end too early as whatever is in memory: so
runs are read here. Their text is COCO's own form (`rleToString` of its mask API): base 32 from character 48 on, little
end first, from the third run on the difference to the run before the last.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

FARTHEST = 100_000
"""How far from the corner a polygon or a box may lead, in pixels: memory goes with it, and models' numbers end."""
LONGEST_RUN_BITS = 40


def mask_of(segmentation: Any, height: int, width: int) -> NDArray[np.bool_]:
    """Shape (height, width); raises ValueError, which says what is wrong with the annotation."""
    if isinstance(segmentation, list):
        return _from_polygons(segmentation, height, width)
    if not isinstance(segmentation, dict) or list(segmentation.get("size") or ()) != [height, width]:
        raise ValueError(f"its mask is not one of {width} x {height} pixels")
    counts = segmentation.get("counts")
    return _from_runs(_runs(counts) if isinstance(counts, str) else counts, height, width)


def _from_polygons(polygons: Sequence[Any], height: int, width: int) -> NDArray[np.bool_]:
    areas = [[float(value) for value in polygon] for polygon in polygons if isinstance(polygon, list)]
    areas = [area for area in areas if len(area) >= 6 and len(area) % 2 == 0]  # two corners enclose nothing
    if not areas or not all(math.isfinite(value) and abs(value) < FARTHEST for area in areas for value in area):
        raise ValueError("its polygons enclose nothing, or lead far out of the picture")
    pixels: NDArray[np.bool_] = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(areas, height, width))) != 0
    return pixels


def _from_runs(runs: Any, height: int, width: int) -> NDArray[np.bool_]:
    """By turns outside and inside, column by column."""
    if not isinstance(runs, list) or not all(isinstance(run, int) and run >= 0 for run in runs):
        raise ValueError("its run lengths are no whole numbers")
    if sum(runs) != height * width:
        raise ValueError(f"its run lengths are {sum(runs):,} pixels together, and the picture {height * width:,}")
    inside = np.arange(len(runs)) % 2 == 1
    return np.repeat(inside, runs).reshape((height, width), order="F")


def _runs(text: str) -> list[int]:
    runs: list[int] = []
    value = bits = 0
    for character in text:
        digit = ord(character) - 48
        if not 0 <= digit < 64 or bits > LONGEST_RUN_BITS:
            raise ValueError(f"its run lengths are no text of COCO's at {character!r}")
        value |= (digit & 0x1F) << bits
        bits += 5
        if digit & 0x20:  # more to come
            continue
        if digit & 0x10:  # below zero
            value -= 1 << bits
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = bits = 0
    return runs
