"""How the bundled CLIP looks at a picture."""

import pytest
from PIL import Image

from db.catalog import CHECKPOINTS
from db.checkpoints import Kind
from worker.pipeline.classify import Classifier, middle_of
from worker.pipeline.pipeline import Pipeline

LABELS = ("snowboard", "man", "tree", "pizza")


@pytest.mark.parametrize(
    ("size", "share", "middle"),
    [
        ((900, 600), 0.8, (90, 60, 810, 540)),
        ((101, 51), 0.8, (10, 5, 91, 46)),
        ((1, 1), 0.8, (0, 0, 1, 1)),
        ((2, 300), 0.1, (1, 135, 2, 165)),
    ],
)
def test_the_middle_is_a_share_of_each_side(
    size: tuple[int, int], share: float, middle: tuple[int, int, int, int]
) -> None:
    """As far from the left as from the right; a pixel of the smallest picture."""
    assert middle_of(size, share) == middle


def test_the_picture_and_its_middle_count_alike(pipeline: Pipeline, sample: Image.Image) -> None:
    """The mean of two unit vectors, made a unit again: of every label, the sum of both looks on one scale."""
    twice = pipeline.classifier
    once = Classifier(twice._model, twice._processor)
    middle = sample.crop(middle_of(sample.size, CHECKPOINTS["mainmask/tiny-clip"].middle))
    sums = sum(once.logits(look, LABELS)[0] for look in (sample, middle))
    scales = twice.logits(sample, LABELS)[0] / sums
    assert scales == pytest.approx([scales[0]] * len(LABELS), rel=1e-4)
    assert 0.5 < scales[0] < 0.71  # from alike to at right angles


def test_only_models_that_can_are_asked_to_look_otherwise() -> None:
    """The others' loaders know neither a middle nor close-ups, and would pass over them in silence."""
    for checkpoint in CHECKPOINTS.values():
        assert not checkpoint.middle or checkpoint.kind is Kind.CLIP
        assert not checkpoint.context or checkpoint.kind is Kind.SEGMENT_ANYTHING
