"""The figures of the evaluation."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from worker.evaluation.intervals import wilson
from worker.tiny.evaluate import table
from worker.tiny.evaluation import Tally, main_name, measure_whole
from worker.tiny.scenes import Scene


@pytest.mark.parametrize(("hits", "low", "high"), [(0, 0.0, 0.037), (50, 0.404, 0.596), (100, 0.963, 1.0)])
def test_intervals_are_wilsons(hits: int, low: float, high: float) -> None:
    """The 95 % interval of a share of 100, as tables of Wilson's interval give it."""
    assert wilson(hits, 100) == pytest.approx((low, high), abs=5e-4)


def test_the_whole_counts_right_masks_of_right_objects_and_none_of_absent_ones() -> None:
    """End to end both the label and the mask must be right; for what isn't there any mask is wrong."""
    instances = np.zeros((20, 30), np.uint8)
    instances[5:15, 5:20] = 1
    scene = Scene(np.zeros((20, 30, 3), np.uint8), instances, (3, 7), 0)
    truth: NDArray[np.bool_] = instances == 1
    tally = Tally()
    for answer in ((main_name(scene), truth), ("something else", truth), (main_name(scene), None)):

        def ask(
            _data: bytes, _labels: Sequence[str], answer: tuple[str, NDArray[np.bool_] | None] = answer
        ) -> tuple[str, NDArray[np.bool_] | None]:
            return answer

        measure_whole(ask, [scene], tally)
    assert tally.outcomes["whole: right object"] == [1, 0, 1]
    assert tally.outcomes["whole: right object and mask IoU ≥ 0.7"] == [1, 0, 0]
    assert tally.outcomes["whole: an absent name alone is not found"] == [0, 0, 1]
    assert "33.3% (1/3" in table([tally, tally])
