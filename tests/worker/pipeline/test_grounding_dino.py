"""Our GroundingDINO against transformers': the same answers from the same weights."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from PIL import Image
from transformers import GroundingDinoConfig, GroundingDinoForObjectDetection, GroundingDinoProcessor
from transformers.models.grounding_dino.modeling_grounding_dino import (
    GroundingDinoBiMultiHeadAttention,
    GroundingDinoMultiscaleDeformableAttention,
)

from worker.pipeline import deformable_attention
from worker.pipeline.deformable_attention import DeformableAttention
from worker.pipeline.fusion_attention import FusionAttention
from worker.pipeline.grounding_dino import GroundingDino
from worker.pipeline.model_files import BUNDLED

FOLDER = BUNDLED / "grounding-dino"
SHAPES = [(9, 7), (5, 4)]
PIXELS = sum(height * width for height, width in SHAPES)
SMALL = GroundingDinoConfig(
    d_model=32, encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=64, num_feature_levels=2
)


@pytest.fixture(autouse=True)
def _inference() -> Iterator[None]:
    torch.manual_seed(0)
    with torch.inference_mode():
        yield


def load() -> Any:
    """transformers' model with the bundled weights."""
    return GroundingDinoForObjectDetection.from_pretrained(FOLDER, dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def processor() -> Any:
    """The bundled processor, which pads all pictures to one square."""
    return GroundingDinoProcessor.from_pretrained(FOLDER)


def ask(processor: Any, sample: Image.Image, texts: list[str]) -> Any:
    """The model's inputs: pictures of different shapes, each with its text."""
    images = [sample.resize((200 + 60 * number, 240)) for number in range(len(texts))]
    return processor(images=images, text=texts, return_tensors="pt", padding=True)


@pytest.mark.parametrize(
    "texts",
    [["snowboard."], ["man.", "snowboard."], ["a red double-decker bus.", "man. snowboard."]],
    ids=["one", "two of a length", "two of different lengths"],
)
def test_logits_and_boxes_are_the_originals(processor: Any, sample: Image.Image, texts: list[str]) -> None:
    """Padded pictures, texts of several phrases, and batches of both, in float32."""
    inputs = ask(processor, sample, texts)
    theirs, ours = load()(**inputs), GroundingDino(load())(**inputs)
    tokens = ours.logits.shape[-1]
    torch.testing.assert_close(ours.logits, theirs.logits[..., :tokens], rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(ours.pred_boxes, theirs.pred_boxes, rtol=1e-4, atol=1e-4)


def test_half_precision_finds_the_same_box(processor: Any, sample: Image.Image) -> None:
    """All layers in bfloat16, also those that are too narrow to gain: within a hundredth of the picture."""
    inputs = ask(processor, sample, ["snowboard."])
    theirs, ours = load()(**inputs), GroundingDino(load(), torch.bfloat16, smallest=1)(**inputs)
    best = theirs.logits[0].amax(-1).argmax()
    found = ours.logits[0].amax(-1).argmax()
    torch.testing.assert_close(ours.pred_boxes[0, found], theirs.pred_boxes[0, best], rtol=0, atol=0.01)


def test_the_parts_make_the_whole(processor: Any, sample: Image.Image) -> None:
    """Features of a picture, taken once, answer several questions about it."""
    model = GroundingDino(load())
    inputs = ask(processor, sample, ["snowboard."])
    images = model.encode_images(inputs["pixel_values"], inputs["pixel_mask"])
    for text in ("snowboard.", "man."):
        inputs = ask(processor, sample, [text])
        boxes = model.find(images, model.encode_texts(inputs["input_ids"], inputs["attention_mask"]))
        torch.testing.assert_close(boxes.pred_boxes, model(**inputs).pred_boxes)


@pytest.mark.parametrize("is_masked", [True, False])
def test_fusion_is_only_reordered(is_masked: bool) -> None:
    """Both outputs are the original's, with padding on either side and without."""
    original = GroundingDinoBiMultiHeadAttention(SMALL).eval()
    for parameter in original.parameters():
        parameter.normal_(std=0.2)
    pictures, words = torch.randn(2, PIXELS, 32), torch.randn(2, 5, 32)
    masks = {
        "vision_attention_mask": torch.rand(2, PIXELS) < 0.3 if is_masked else None,
        "text_attention_mask": torch.tensor([[False] * 5, [False] * 3 + [True] * 2]) if is_masked else None,
    }
    theirs = original(pictures, words, **masks)
    ours = FusionAttention(original)(pictures, words, **masks)
    for their, our in zip(theirs, ours, strict=True):
        torch.testing.assert_close(our[0], their[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("coordinates", [2, 4], ids=["points", "boxes"])
@pytest.mark.parametrize("is_masked", [True, False])
def test_deformable_attention_samples_the_same_pixels(
    coordinates: int, is_masked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also outside the picture, where there is nothing, and whatever the queries are divided into."""
    monkeypatch.setattr(deformable_attention, "CHUNK", 17)
    original = GroundingDinoMultiscaleDeformableAttention(SMALL, num_heads=4, n_points=3).eval()
    for parameter in original.parameters():
        parameter.normal_(std=0.5)
    given = {
        "hidden_states": torch.randn(2, 40, 32),
        "attention_mask": torch.rand(2, PIXELS) < 0.8 if is_masked else None,
        "encoder_hidden_states": torch.randn(2, PIXELS, 32),
        "position_embeddings": torch.randn(2, 40, 32),
        # Some of them far outside.
        "reference_points": torch.rand(2, 40, 2, coordinates) * 1.6 - 0.3,
        "spatial_shapes": torch.tensor(SHAPES),
        "spatial_shapes_list": SHAPES,
    }
    ours, _ = DeformableAttention(original)(**given)
    torch.testing.assert_close(ours, original(**given)[0], rtol=1e-4, atol=1e-4)
