"""Masks of annotation files: COCO's own give the same pixels, broken ones an error and never what is in memory."""

import contextlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pycocotools import mask as coco_mask

from worker.evaluation.outlines import mask_of


@given(arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=40)))
def test_run_lengths_are_read_as_coco_writes_them(pixels: Any) -> None:
    """As a text and as numbers, for any mask."""
    code = coco_mask.encode(np.asfortranarray(pixels, np.uint8))
    height, width = pixels.shape
    assert (mask_of({"size": [height, width], "counts": code["counts"].decode()}, height, width) == pixels).all()
    flat = pixels.reshape(-1, order="F")
    edges = [0, *(np.flatnonzero(np.diff(flat)) + 1).tolist(), flat.size]
    runs = [int(run) for run in np.diff(edges)]
    numbers = {"size": [height, width], "counts": [0, *runs] if flat[0] else runs}
    assert (mask_of(numbers, height, width) == pixels).all()


def test_large_masks_are_read_too() -> None:
    """Runs of several digits, and differences below zero."""
    pixels = np.random.default_rng(0).random((700, 900)).cumsum(0) % 97 < 40
    code = coco_mask.encode(np.asfortranarray(pixels, np.uint8))
    assert (mask_of({"size": [700, 900], "counts": code["counts"].decode()}, 700, 900) == pixels).all()


BROKEN: dict[str, Any] = {
    "too short": {"size": [60, 100], "counts": [1, 2]},
    "too long": {"size": [60, 100], "counts": [6001]},
    "empty": {"size": [60, 100], "counts": []},
    "below zero": {"size": [60, 100], "counts": [-5, 6005]},
    "halves": {"size": [60, 100], "counts": [3000.5, 2999.5]},
    "words": {"size": [60, 100], "counts": ["a"]},
    "a number": {"size": [60, 100], "counts": 6000},
    "nothing": {"size": [60, 100]},
    "a short text": {"size": [60, 100], "counts": "P2"},
    "an empty text": {"size": [60, 100], "counts": ""},
    "no text of COCO's": {"size": [60, 100], "counts": "\x00é"},
    "a text without an end": {"size": [60, 100], "counts": "o" * 5000},
    "another size": {"size": [100, 60], "counts": [6000]},
    "no size": {"counts": [6000]},
    "polygons of nothing": [[]],
    "a line": [[1, 2, 3, 4]],
    "half a corner": [[1, 2, 3, 4, 5, 6, 7]],
    "no numbers": [["a"] * 6],
    "not a number": [[float("nan")] * 6],
    "far away": [[0, 0, 1e12, 5, 5, 9]],
    "no polygons": [5, 6],
    "a word": "polygon",
}


@pytest.mark.parametrize("segmentation", BROKEN.values(), ids=BROKEN)
def test_what_is_no_mask_is_refused(segmentation: Any) -> None:
    """In words, for a picture of 100 x 60 pixels."""
    with pytest.raises(ValueError, match=r"its|float"):
        mask_of(segmentation, 60, 100)


@given(st.text(max_size=30))
def test_no_text_gives_anything_but_a_mask_or_an_error(text: str) -> None:
    """Whatever it is."""
    with contextlib.suppress(ValueError):
        assert mask_of({"size": [6, 10], "counts": text}, 6, 10).shape == (6, 10)
