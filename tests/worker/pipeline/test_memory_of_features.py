"""The bundled models as a worker runs them: a second question about a picture skips the encoders."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from unittest.mock import patch

import numpy as np
import pytest
from PIL import Image

from db.catalog import CHECKPOINTS
from db.settings import default_models_dir
from db.states import StageName
from tests.readings import Readings, moved
from worker.evaluation.measures import mask_iou
from worker.pipeline.batching import BatchLimits
from worker.pipeline.checkpoints import Loader
from worker.pipeline.encoding import Memory
from worker.pipeline.execution import Execution
from worker.pipeline.model_files import ModelFolder
from worker.pipeline.pipeline import Pipeline
from worker.pipeline.results import Box, Classification, Detection, Mask

STAGES = ("classify", "detect", "segment")


def _remembering() -> Execution:
    """With memory, and batches of up to two that nobody waits for."""
    limits = {stage: BatchLimits(size=2) for stage in STAGES}
    return Execution.choose("cpu", memory=Memory.of(10**8), limits=limits)


@pytest.fixture(scope="module")
def remembering() -> Pipeline:
    """The bundled models with memory."""
    return Pipeline.load("tiny", execution=_remembering())


@pytest.fixture(scope="module")
def seeing_all(remembering: Pipeline) -> Pipeline:
    """The same, but SAM is shown whole pictures, as the large ones are."""
    loader = Loader(ModelFolder(default_models_dir()), _remembering())
    checkpoint = replace(CHECKPOINTS["mainmask/tiny-sam"], context=0)
    return remembering.with_model(StageName.SEGMENT, loader.load(checkpoint))


def test_answers_are_the_same_with_memory_and_without(
    pipeline: Pipeline, remembering: Pipeline, sample: Image.Image
) -> None:
    """Also the second time, out of memory."""
    labels = ["man", "snowboard"]
    boxes = [pipeline.detector.detect(sample, "snowboard").boxes[0].box]
    for _ in range(2):
        ours, plain = (each.classifier.classify(sample, labels) for each in (remembering, pipeline))
        assert [c.label for c in ours.candidates] == [c.label for c in plain.candidates]
        assert ours.margin == pytest.approx(plain.margin, abs=1e-4)
        assert remembering.detector.detect(sample, "snowboard") == pipeline.detector.detect(sample, "snowboard")
        (mask,), (expected,) = (each.segmenter.segment(sample, boxes) for each in (remembering, pipeline))
        assert np.array_equal(mask.pixels, expected.pixels)


def test_a_second_question_skips_the_encoders(seeing_all: Pipeline, sample: Image.Image) -> None:
    """Other labels, another box: no encoder runs; a picture that differs in one pixel is another one."""
    seeing_all.classifier.classify(sample, ["man", "snowboard"])
    seeing_all.detector.detect(sample, "man")
    seeing_all.segmenter.segment(sample, [(10, 10, 90, 90)])
    other = sample.copy()
    other.putpixel((100, 100), (1, 2, 3))

    def ask(image: Image.Image) -> None:
        seeing_all.classifier.classify(image, ["pizza", "cat"])
        seeing_all.detector.detect(image, "pizza")
        seeing_all.segmenter.segment(image, [(30, 30, 120, 120)])

    # The bundled CLIP looks twice.
    for image, runs in ((sample, [0, 0, 0]), (other, [2, 1, 1])):
        calls = moved(Readings.here, partial(ask, image))
        assert [calls.value("mainmask_batch_size_count", stage=stage) for stage in STAGES] == runs


def test_a_close_up_is_encoded_once(remembering: Pipeline, sample: Image.Image) -> None:
    """The same box again is remembered; another box of the picture is another close-up."""
    remembering.segmenter.segment(sample, [(10, 10, 90, 90)])
    for box, runs in (((10, 10, 90, 90), 0), ((30, 30, 120, 120), 1)):
        calls = moved(Readings.here, partial(remembering.segmenter.segment, sample, [box]))
        assert calls.value("mainmask_batch_size_count", stage="segment") == runs


def test_words_are_read_once(remembering: Pipeline, sample: Image.Image) -> None:
    """The same labels, and the same phrase, about another picture."""
    other = sample.rotate(180)
    detector = remembering.detector._model
    for image in (sample, other):
        remembering.classifier.classify(image, ["sofa", "bus"])
        remembering.detector.detect(image, "sofa")
    model = remembering.classifier._model
    projection = detector.model.text_projection
    with patch.object(model, "get_text_features") as text, patch.object(projection, "forward") as words:
        remembering.classifier.classify(other, ["sofa", "bus"])
        remembering.detector.detect(other, "sofa")
    text.assert_not_called()
    words.assert_not_called()


def test_batched_answers_are_those_of_one_at_a_time(pipeline: Pipeline, sample: Image.Image) -> None:
    """Four threads, whose pictures go through each encoder together."""
    limits = {stage: BatchLimits(size=4, wait_seconds=10) for stage in STAGES}
    batching = Pipeline.load("tiny", execution=Execution.choose("cpu", limits=limits))
    pictures = [sample, sample.rotate(180), sample.rotate(90, expand=True), sample.resize((300, 300))]

    def ask(models: Pipeline, picture: Image.Image) -> tuple[Classification, Detection, Mask]:
        width, height = picture.size
        boxes: list[Box] = [(0.2 * width, 0.2 * height, 0.8 * width, 0.8 * height)]
        classification = models.classifier.classify(picture, ["man", "snowboard"])
        detection = models.detector.detect(picture, "snowboard", threshold=0.0)
        return classification, detection, models.segmenter.segment(picture, boxes)[0]

    together: list[tuple[Classification, Detection, Mask]] = []
    alone = [ask(pipeline, picture) for picture in pictures]
    with ThreadPoolExecutor(4) as threads:
        calls = moved(Readings.here, lambda: together.extend(threads.map(partial(ask, batching), pictures)))
    assert [calls.value("mainmask_batch_size_count", stage=stage) for stage in STAGES] == [2, 1, 1]
    for one, batched in zip(alone, together, strict=True):
        assert batched[0].main_object.label == one[0].main_object.label
        assert batched[0].margin == pytest.approx(one[0].margin, abs=1e-4)
        assert batched[1].boxes[0].box == pytest.approx(one[1].boxes[0].box, abs=0.01)
        assert mask_iou(batched[2].pixels, one[2].pixels) >= 0.999
