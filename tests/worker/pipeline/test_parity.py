"""The same random weights in our adapters and in the publishers' own code give the same answers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from segment_anything import SamPredictor, sam_model_registry
from torchvision.ops import clip_boxes_to_image
from transformers import SamConfig, SamImageProcessor, SamModel, pipeline

from tests.worker.pipeline.architectures import ARCHITECTURES, SIDE, small_sam
from tests.worker.pipeline.originals import (
    SMALL,
    HqPredictor,
    in_transformers_words,
    original_hq_sam,
    original_sam,
)
from tests.worker.pipeline.published import (
    old_clip_preprocessor,
    publish,
    unpadded_grounding_preprocessor,
)
from worker.evaluation.measures import mask_iou
from worker.pipeline import classify, siglip
from worker.pipeline.box_selection import SHORTEST_SIDE
from worker.pipeline.checkpoints import Loader
from worker.pipeline.execution import Execution
from worker.pipeline.model_files import ModelFolder
from worker.pipeline.results import Box, DetectedBox
from worker.pipeline.sam import load_sam
from worker.pipeline.segment import Segmenter
from worker.pipeline.transformers_sam import TransformersSegmenter

EXACT = Execution.choose("cpu", "float32")
LABELS = ["cat", "dog", "snowboard"]
BOXES: list[Box] = [(100.0, 90.0, 500.0, 400.0), (0.0, 0.0, 300.0, 600.0)]
GROUNDING = ["IDEA-Research/grounding-dino-tiny", "openmmlab-community/mm_grounding_dino_tiny_o365v1_goldg_v3det"]
SIZES = [pytest.param(True, id="small"), pytest.param(False, id="published", marks=pytest.mark.slow)]


def published(name: str, root: Path, **how: Any) -> Any:
    """The stage, loaded by the product's own code from a checkpoint's files."""
    return Loader(ModelFolder(root), EXACT).load(publish(name, root, **how)).stage


def check_masks(ours: Segmenter, predictor: Any, sample: Image.Image) -> None:
    """Each box alone in the original predictor, all together in ours."""
    with torch.inference_mode():
        predictor.set_image(np.asarray(sample))
    for box, mask in zip(BOXES, ours.segment(sample, BOXES), strict=True):
        masks, ious, _ = predictor.predict(box=np.asarray(box), multimask_output=False)
        assert masks[0].any()
        assert not masks[0].all()
        assert mask_iou(masks[0], mask.pixels) >= 0.999
        assert mask.predicted_iou == pytest.approx(float(ious[0]), abs=1e-3)


def test_masks_are_those_of_the_original_predictor(sample: Image.Image, tmp_path: Path) -> None:
    """Many boxes at once, from a file of weights, cut out the pixels that one at a time does."""
    original = original_sam(small=True)
    SMALL.write(tmp_path / "config.json")
    save_file(original.state_dict(), tmp_path / "model.safetensors")
    check_masks(Segmenter(load_sam(tmp_path / "model.safetensors")), SamPredictor(original), sample)


@pytest.mark.slow
def test_masks_of_the_authors_file_are_those_of_the_authors_code(sample: Image.Image, tmp_path: Path) -> None:
    """Their builder and their predictor, and ours, read one `.pth` of base size."""
    ours = published("segment-anything/vit-b", tmp_path, small=False)
    (weights,) = tmp_path.glob("*/*.pth")
    check_masks(ours, SamPredictor(sam_model_registry["vit_b"](checkpoint=str(weights)).eval()), sample)


@pytest.mark.parametrize("small", SIZES)
def test_masks_of_transformers_sam_are_those_of_the_original_predictor(sample: Image.Image, small: bool) -> None:
    """`segment_anything`'s weights in transformers' SAM, behind our adapter, cut out the same pixels."""
    original = original_sam(small=small)
    model = SamModel(small_sam(SamConfig) if small else SamConfig()).eval()
    model.load_state_dict(in_transformers_words(original.state_dict()), strict=True)
    side = SIDE if small else 1024
    processor = SamImageProcessor(size={"longest_edge": side}, pad_size={"height": side, "width": side})
    check_masks(TransformersSegmenter(model, processor), SamPredictor(original), sample)


@pytest.mark.parametrize("small", SIZES)
def test_masks_are_those_of_the_package_of_hq_sam(sample: Image.Image, small: bool, tmp_path: Path) -> None:
    """Its weights in transformers' SAM-HQ, as we load and mend it, cut out the same pixels."""
    original = original_hq_sam(small=small)
    weights = in_transformers_words(original.state_dict())
    ours = published("syscv-community/sam-hq-vit-base", tmp_path, small=small, weights=weights)
    check_masks(ours, HqPredictor(original), sample)


@pytest.mark.parametrize("small", SIZES)
@pytest.mark.parametrize("name", ["openai/clip-vit-base-patch32", "google/siglip2-base-patch16-224"])
def test_scores_are_those_of_transformers_pipeline(
    name: str, small: bool, tmp_path: Path, sample: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one prompt and a square picture, where its pipeline does as we do."""
    for module in (classify, siglip):
        monkeypatch.setattr(module, "TEMPLATES", ("a photo of a {}.",))
    square = sample.crop((0, 0, 600, 600))
    ours = published(name, tmp_path, small=small)
    (folder,) = tmp_path.iterdir()
    theirs = pipeline("zero-shot-image-classification", model=str(folder), device="cpu")
    answers = theirs(square, candidate_labels=LABELS, hypothesis_template="a photo of a {}.")
    expected = {answer["label"]: answer["score"] for answer in answers}
    if isinstance(ours, siglip.SiglipClassifier):
        found = dict(zip(LABELS, ours.probabilities(square, LABELS).tolist(), strict=True))
    else:
        found = {candidate.label: candidate.score for candidate in ours.classify(square, LABELS).candidates}
    assert found == pytest.approx(expected, abs=1e-5)


def test_sides_in_the_words_of_the_first_clip_are_read_as_meant(
    tmp_path: Path, sample: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scores are those of transformers' pipeline with the same weights and today's words for them."""
    monkeypatch.setattr(classify, "TEMPLATES", ("a photo of a {}.",))
    name, square = "openai/clip-vit-base-patch32", sample.crop((0, 0, 600, 600))
    ours = published(name, tmp_path / "old", preprocessor=old_clip_preprocessor(SIDE))
    published(name, tmp_path / "new")
    (folder,) = (tmp_path / "new").iterdir()
    theirs = pipeline("zero-shot-image-classification", model=str(folder), device="cpu")
    answers = theirs(square, candidate_labels=LABELS, hypothesis_template="a photo of a {}.")
    found = {candidate.label: candidate.score for candidate in ours.classify(square, LABELS).candidates}
    assert found == pytest.approx({answer["label"]: answer["score"] for answer in answers}, abs=1e-5)


def check_boxes(ours: Sequence[DetectedBox], theirs: torch.Tensor, scores: torch.Tensor) -> None:
    """Each of ours is one of theirs, to a twentieth of a pixel, and scored alike.

    The best of theirs is among ours, but for those that lie in the padding: nothing could be cut out there.
    """
    assert ours
    for box in ours:
        near = (theirs - torch.tensor(box.box)).abs().amax(-1) < 0.05
        assert near.any()
        assert (scores[near] - box.score).abs().min() < 1e-4
    is_inside = ((theirs[:, 2:] - theirs[:, :2]) >= SHORTEST_SIDE).all(-1)
    assert max(box.score for box in ours) == pytest.approx(float(scores[is_inside].max()), abs=1e-4)


def check_detector(detector: Any, original: Any, sample: Image.Image, label: str) -> Any:
    """Our boxes are those of transformers' model and post-processing; what these looked at is given."""
    inputs = detector._processor(images=sample, text=f"{label}.", return_tensors="pt")
    with torch.inference_mode():
        outputs = original(**inputs)
        # Its score of a box looks at the stop and the special tokens, too: here they are made to say nothing.
        outputs.logits[..., [0, *range(inputs["input_ids"].shape[1] - 2, outputs.logits.shape[-1])]] = -torch.inf
    (answer,) = detector._processor.post_process_grounded_object_detection(
        outputs, inputs["input_ids"], threshold=0.0, text_threshold=0.0, target_sizes=[(sample.height, sample.width)]
    )
    found = detector.detect(sample, label, every_instance=True, threshold=1e-12).boxes
    check_boxes(found, clip_boxes_to_image(answer["boxes"], (sample.height, sample.width)), answer["scores"])
    return inputs


@pytest.mark.parametrize(
    ("small", "label"),
    [
        pytest.param(True, "snowboard", id="small"),
        pytest.param(True, "red double-decker bus", id="small, of several words"),
        pytest.param(False, "snowboard", id="published", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("name", GROUNDING)
def test_boxes_are_those_of_transformers_post_processing(
    name: str, small: bool, label: str, tmp_path: Path, sample: Image.Image
) -> None:
    """Of a label whose best token is its own: in the same pixels, with the same scores."""
    detector = published(name, tmp_path, small=small)
    (folder,) = tmp_path.iterdir()
    check_detector(detector, ARCHITECTURES[name].model.from_pretrained(folder).eval(), sample, label)


@pytest.mark.parametrize(
    ("height", "seen"),
    [pytest.param(600, (133, 199), id="by its height"), pytest.param(300, (74, 222), id="by its width")],
)
@pytest.mark.parametrize("name", GROUNDING)
def test_boxes_in_unpadded_pictures_are_those_of_transformers(
    name: str, height: int, seen: tuple[int, int], tmp_path: Path, sample: Image.Image
) -> None:
    """As the hub's settings have it: a picture is seen in its own shape, whichever side limits it."""
    picture = sample.crop((0, 0, sample.width, height))
    detector = published(name, tmp_path, preprocessor=unpadded_grounding_preprocessor(133, 222))
    (folder,) = tmp_path.iterdir()
    inputs = check_detector(detector, ARCHITECTURES[name].model.from_pretrained(folder).eval(), picture, "snowboard")
    assert tuple(inputs["pixel_values"].shape[-2:]) == seen
    assert inputs["pixel_mask"].all()


@pytest.mark.parametrize(
    ("small", "turned"),
    [
        pytest.param(True, False, id="small"),
        pytest.param(True, True, id="small, of a high picture"),
        pytest.param(False, True, id="published", marks=pytest.mark.slow),
    ],
)
def test_boxes_of_owlv2_are_those_of_transformers_post_processing(
    small: bool, turned: bool, tmp_path: Path, sample: Image.Image
) -> None:
    """In the pixels of the picture, not of the square that the model sees."""
    sample = sample.transpose(Image.Transpose.ROTATE_90) if turned else sample
    detector = published("google/owlv2-base-patch16-ensemble", tmp_path, small=small)
    inputs = detector._processor(images=sample, text=["a photo of a snowboard"], return_tensors="pt")
    with torch.inference_mode():
        outputs = detector._model(**inputs)
    (answer,) = detector._processor.post_process_grounded_object_detection(
        outputs, threshold=0.0, target_sizes=[(sample.height, sample.width)]
    )
    found = detector.detect(sample, "snowboard", every_instance=True, threshold=1e-12).boxes
    check_boxes(found, clip_boxes_to_image(answer["boxes"], (sample.height, sample.width)), answer["scores"])
