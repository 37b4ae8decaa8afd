"""The three stages on the bundled models: right answers, and each stage's own promises."""

import io

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from segment_anything import SamPredictor

from db.catalog import CHECKPOINTS
from db.errors import AnswerNotFinite, CheckpointInvalid, InvalidImage, NoCandidates, UnknownProfile
from db.states import OnMissing
from worker.pipeline.close_ups import CloseUpSegmenter, window
from worker.pipeline.graph_cut import snap
from worker.pipeline.masks import tight_box
from worker.pipeline.pipeline import Pipeline
from worker.pipeline.results import Candidate
from worker.pipeline.search import Wish


def overlap(mask: np.ndarray, truth: np.ndarray) -> float:
    """Intersection over union."""
    return float((mask & truth).sum() / (mask | truth).sum())


def as_png(image: Image.Image) -> bytes:
    """The picture as a file's bytes."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def test_from_a_picture_and_names_to_the_main_objects_mask(
    pipeline: Pipeline, sample: Image.Image, truth: Image.Image
) -> None:
    """Of the man and the snowboard, the snowboard is chosen, and its mask fits with IoU of 0.8 or more."""
    found = pipeline.run(as_png(sample), ["man", "snowboard"])
    assert found.classification.main_object.label == "snowboard"
    (mask,) = found.masks
    assert mask.pixels.shape == (sample.height, sample.width)
    assert overlap(mask.pixels, np.asarray(truth)) >= 0.8
    assert 0 <= mask.stability <= 1
    assert mask.predicted_iou > 0.5


def test_scores_are_probabilities_best_first(pipeline: Pipeline, sample: Image.Image) -> None:
    """Every candidate keeps its score; they fall and add up to 1, and the margin is the first less the second."""
    labels = ["man", "snowboard", "pizza", "cat"]
    classification = pipeline.classifier.classify(sample, labels)
    scores = [candidate.score for candidate in classification.candidates]
    assert {candidate.label for candidate in classification.candidates} == set(labels)
    assert scores == sorted(scores, reverse=True)
    assert sum(scores) == pytest.approx(1, abs=1e-4)
    assert classification.margin == pytest.approx(scores[0] - scores[1])


def test_the_order_of_the_labels_changes_nothing(pipeline: Pipeline, sample: Image.Image) -> None:
    """The same labels in another order get the same scores."""
    labels = ["man", "snowboard", "pizza"]
    forwards = pipeline.classifier.classify(sample, labels).candidates
    backwards = pipeline.classifier.classify(sample, labels[::-1]).candidates
    assert [candidate.label for candidate in forwards] == [candidate.label for candidate in backwards]
    assert [a.score for a in forwards] == pytest.approx([b.score for b in backwards], abs=1e-4)


def test_one_label_needs_no_choice(pipeline: Pipeline, sample: Image.Image) -> None:
    """A single candidate is the main object: certain, and not ambiguous."""
    classification = pipeline.classifier.classify(sample, ["a thing of any kind"])
    assert (classification.main_object.score, classification.margin) == (1.0, 1.0)
    assert not classification.ambiguous


def test_a_close_call_is_said_to_be_one(pipeline: Pipeline, sample: Image.Image) -> None:
    """Two names of the same thing can't both win clearly: `ambiguous`, though one of them comes first."""
    assert pipeline.classifier.classify(sample, ["snowboard", "the snowboard"]).ambiguous


def test_the_box_lies_inside_the_picture_around_the_object(
    pipeline: Pipeline, sample: Image.Image, truth: Image.Image
) -> None:
    """XYXY in pixels of the picture that was given, and close to the true object's box."""
    (found,) = pipeline.detector.detect(sample, "snowboard").boxes
    left, top, right, bottom = found.box
    assert 0 <= left < right <= sample.width
    assert 0 <= top < bottom <= sample.height
    true_left, true_top, true_right, true_bottom = tight_box(np.asarray(truth))
    width = min(right, true_right) - max(left, true_left)
    height = min(bottom, true_bottom) - max(top, true_top)
    union = (right - left) * (bottom - top) + (true_right - true_left) * (true_bottom - true_top) - width * height
    assert width * height / union > 0.6


def test_pictures_of_any_shape_are_searched(pipeline: Pipeline, sample: Image.Image) -> None:
    """A panorama with the picture at one end: the box is found there, in the panorama's own pixels."""
    wide = ImageOps.expand(sample, border=(0, 0, sample.width, 0), fill="lightgray")
    (found,) = pipeline.detector.detect(wide, "snowboard").boxes
    assert found.box[2] <= sample.width * 1.05


@pytest.mark.parametrize("labels", [["elephant"], ["cat"], ["elephant", "teapot", "piano"]])
def test_absent_things_are_said_to_be_absent(pipeline: Pipeline, sample: Image.Image, labels: list[str]) -> None:
    """Alone or the best of several: nothing is cut out, and no candidate fits."""
    found = pipeline.run(as_png(sample), labels)
    assert (found.detection.boxes, found.masks) == ((), ())
    assert found.classification.none_fits


def test_a_thing_at_the_side_is_found_although_the_picture_is_of_another(
    pipeline: Pipeline, sample: Image.Image
) -> None:
    """To CLIP the man fits the picture badly; the detector is sure."""
    found = pipeline.run(as_png(sample), ["man"])
    assert found.classification.none_fits
    assert len(found.masks) == 1


def test_the_next_candidate_is_taken_when_asked_for(pipeline: Pipeline, sample: Image.Image) -> None:
    """The first is in the picture by no box; the second is."""
    ranked = [Candidate("elephant", 0.6, fit=0.002), Candidate("snowboard", 0.4, fit=0.2)]
    assert not pipeline.search(sample, ranked, Wish()).detection.boxes
    finding = pipeline.search(sample, ranked, Wish(on_missing=OnMissing.NEXT))
    assert (finding.detection.label, len(finding.detection.boxes)) == ("snowboard", 1)


def test_what_is_not_there_has_no_box(pipeline: Pipeline) -> None:
    """On a blank picture nothing reaches the ladder's lowest rung: no boxes, and no error."""
    detection = pipeline.detector.detect(Image.new("RGB", (320, 240), "gray"), "giraffe")
    assert detection.boxes == ()
    assert detection.threshold == min(pipeline.detector._thresholds)


@pytest.mark.parametrize("label", ["Snowboard", "snowboard.", "snowboard?", " snowboard  "])
def test_punctuation_and_case_in_a_label_change_nothing(pipeline: Pipeline, sample: Image.Image, label: str) -> None:
    """A full stop in a label would end GroundingDINO's phrase early; it is the same label without."""
    plain = pipeline.detector.detect(sample, "snowboard").boxes[0]
    assert pipeline.detector.detect(sample, label).boxes[0] == plain


def test_every_instance_includes_the_best(pipeline: Pipeline, sample: Image.Image) -> None:
    """`every_instance` gives the best box first and others below it, down to the threshold."""
    best = pipeline.detector.detect(sample, "snowboard")
    every = pipeline.detector.detect(sample, "snowboard", every_instance=True)
    assert every.boxes[0] == best.boxes[0]
    scores = [found.score for found in every.boxes]
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] >= every.threshold


def test_masks_are_those_of_the_stock_predictor(pipeline: Pipeline, sample: Image.Image) -> None:
    """Several boxes in one call give, pixel for pixel, what `SamPredictor` gives for each alone, in its close-up.

    The edges are moved to the picture's own in both.
    """
    boxes = [pipeline.detector.detect(sample, "snowboard").boxes[0].box, (20.0, 30.0, 300.0, 260.0)]
    ours = pipeline.segmenter.segment(sample, boxes)
    assert isinstance(pipeline.segmenter, CloseUpSegmenter)
    predictor = SamPredictor(pipeline.segmenter.inner._model)
    with torch.inference_mode():
        for box, mask in zip(boxes, ours, strict=True):
            left, top, right, bottom = window(box, sample.size, CHECKPOINTS["mainmask/tiny-sam"].context)
            shown = sample.crop((left, top, right, bottom))
            predictor.set_image(np.asarray(shown))
            logits, ious, _ = predictor.predict(
                box=np.asarray(box) - [left, top, left, top], multimask_output=False, return_logits=True
            )
            assert overlap(snap(shown, logits[0]), mask.pixels[top:bottom, left:right]) > 0.999
            assert mask.predicted_iou == pytest.approx(float(ious[0]), abs=1e-3)


def test_no_boxes_no_masks(pipeline: Pipeline, sample: Image.Image) -> None:
    """Nothing asked, nothing cut out."""
    assert pipeline.segmenter.segment(sample, []) == []


def test_bad_input_is_said_to_be_bad(pipeline: Pipeline, sample: Image.Image) -> None:
    """No labels, a picture that is none, a profile that is none: each raises its own error."""
    with pytest.raises(NoCandidates):
        pipeline.run(as_png(sample), [])
    with pytest.raises(InvalidImage):
        pipeline.run(b"no picture", ["cat"])
    with pytest.raises(UnknownProfile, match="there are: base, large, tiny"):
        Pipeline.load("huge")


@pytest.fixture
def spoilt(request: pytest.FixtureRequest) -> Pipeline:
    """A pipeline of its own, one of whose models has a weight that is no number."""
    stage, name = request.param
    pipeline = Pipeline.load("tiny", "cpu")
    with torch.no_grad():
        spoilt = getattr(pipeline, stage)
        getattr(spoilt, "inner", spoilt)._model.get_parameter(name).fill_(torch.nan)
    return pipeline


SPOILT = {
    "tiny-clip": ("classifier", "logit_scale"),
    "tiny-grounding-dino": ("detector", "model.text_projection.bias"),
    "tiny-sam": ("segmenter", "mask_decoder.iou_token.weight"),
}


@pytest.mark.parametrize(
    ("spoilt", "model"), [(weight, model) for model, weight in SPOILT.items()], indirect=["spoilt"]
)
def test_spoilt_weights_give_no_answer(spoilt: Pipeline, model: str, sample: Image.Image) -> None:
    """Numbers that are none would pass for a clear choice, nothing found or an empty mask; a worker doesn't start."""
    with pytest.raises(AnswerNotFinite):
        spoilt.run(as_png(sample), ["snowboard", "man"])
    with pytest.raises(CheckpointInvalid, match=f"{model}.*not finite"):
        spoilt.warm_up()
