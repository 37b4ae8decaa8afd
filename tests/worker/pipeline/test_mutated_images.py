"""Damaged pictures in a worker: decoded, or an error of ours that says what is wrong."""

import pytest

from db.errors import MainmaskError
from tests.mutated_images import mutated, originals
from worker.pipeline.images import decode


def test_whole_pictures_are_decoded() -> None:
    """Of every format and mode, to RGB."""
    for data in originals():
        assert decode(data).mode == "RGB"


@pytest.mark.parametrize("seed", range(4))
def test_damaged_pictures_are_decoded_or_refused(seed: int) -> None:
    """A thousand files a seed: nothing else is raised, and the process lives."""
    for data in mutated(1000, 100 + seed):
        try:
            assert decode(data).mode == "RGB"
        except MainmaskError:
            continue
