"""What SAM is trained on: close-ups whose box, mask and pixels belong together."""

import numpy as np
import pytest

from worker.tiny.close_ups import CONTEXT, CloseUp, Plan, close_up
from worker.tiny.scenes import Scene, box_of

PLAN = Plan(total=4, side=64)


@pytest.fixture
def scene() -> Scene:
    """A white thing of 80 x 40 pixels on black, and a grey one beside it."""
    instances = np.zeros((300, 400), np.uint8)
    instances[100:140, 150:230] = 1
    instances[100:140, 240:260] = 2
    image = np.choose(instances[..., None], [0, 255, 128]).repeat(3, -1).astype(np.uint8)
    return Scene(image, instances, (3, 5), 0)


def _white(shown: CloseUp) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return np.asarray(shown.image[..., 0] > 200)


def test_the_kept_part_is_at_the_scale_of_the_models_input(scene: Scene) -> None:
    """The box's longer side takes the share of SAM's input that the context leaves it; only the object is masked."""
    kept = close_up(scene, 0, PLAN)
    left, top, right, bottom = kept.box
    assert right - left == pytest.approx(PLAN.side / CONTEXT)
    assert (right - left) / (bottom - top) == pytest.approx(2)
    assert max(kept.mask.shape) <= PLAN.kept_side
    assert np.array_equal(kept.mask > 200, _white(kept))


def test_what_is_shown_fills_the_input_and_the_box_is_where_the_object_is(scene: Scene) -> None:
    """For a true box: pixels, mask and box agree within a pixel; mirrored, too."""
    kept = close_up(scene, 0, PLAN)
    for each in (kept, kept.mirrored()):
        shown = each.framed(each.box, CONTEXT, PLAN.side)
        assert max(shown.mask.shape) == PLAN.side
        assert box_of(shown.mask > 127) == pytest.approx(shown.box, abs=1)
        assert box_of(_white(shown)) == pytest.approx(shown.box, abs=1)


def test_a_wrong_box_is_shown_in_its_own_window(scene: Scene) -> None:
    """The prompt is the detector's box; the truth stays the object's mask."""
    kept = close_up(scene, 0, PLAN)
    box = kept.box + np.array([6, 0, 6, 0], np.float32)
    shown = kept.framed(box, CONTEXT, PLAN.side)
    assert (shown.box[0] + shown.box[2]) / 2 == pytest.approx(PLAN.side / 2, abs=1)
    assert box_of(shown.mask > 127)[0] < shown.box[0] - 4


def test_mirrored_twice_is_what_it_was(scene: Scene) -> None:
    """Pixels, mask and box."""
    kept = close_up(scene, 1, PLAN)
    again = kept.mirrored().mirrored()
    assert np.array_equal(again.image, kept.image)
    assert np.array_equal(again.mask, kept.mask)
    assert np.array_equal(again.box, kept.box)
