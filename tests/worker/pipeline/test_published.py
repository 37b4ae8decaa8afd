"""Each line of the table, loaded by the product's own code from files in the form in which it is published."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from segment_anything import sam_model_registry
from torch import nn

from db.catalog import CHECKPOINTS, SEGMENTERS
from db.checkpoints import Bundled, Checkpoint, WebFile
from db.errors import UnknownModel
from db.profiles import PROFILES, chosen
from db.states import StageName
from tests.worker.pipeline.architectures import ARCHITECTURES, build
from tests.worker.pipeline.published import publish, write_sums
from worker.pipeline.checkpoints import Loader
from worker.pipeline.classify import Classifier
from worker.pipeline.detect import Detector
from worker.pipeline.execution import Execution
from worker.pipeline.linear import HalfLinear
from worker.pipeline.model_files import ModelFolder
from worker.pipeline.pipeline import Pipeline
from worker.pipeline.sam import PUBLISHED, build_sam
from worker.pipeline.segment import Segmenter

EXACT = Execution.choose("cpu", "float32")
ORIGINAL_SAMS = {found.name: found for found in SEGMENTERS if isinstance(found.source, WebFile)}
FROM_THE_HUB = sorted(ARCHITECTURES)
A_KIND_EACH = {CHECKPOINTS[name].kind: name for name in ARCHITECTURES}.values()


def shapes(state: dict[str, Any]) -> dict[str, torch.Size]:
    """What a file of weights must hold."""
    return {name: weight.shape for name, weight in state.items()}


def loader(root: Path) -> Loader:
    """Loads from this folder."""
    return Loader(ModelFolder(root), EXACT)


def test_the_table_is_whole() -> None:
    """Every line's architecture is known to these tests, but for the bundled ones, which others load."""
    bundled = {name for name, found in CHECKPOINTS.items() if isinstance(found.source, Bundled)}
    assert set(CHECKPOINTS) == {*ARCHITECTURES, *ORIGINAL_SAMS, *bundled}
    for profile in PROFILES:
        assert [found.stage for found in chosen(profile).values()] == list(StageName)
    assert all(found.box_thresholds for found in CHECKPOINTS.values() if found.stage is StageName.DETECT)


def test_the_sums_of_single_files_are_whole() -> None:
    """A SHA-256 of the file, and not the beginning of an MD5, which is what the names of SAM's files carry."""
    for found in ORIGINAL_SAMS.values():
        file = found.source
        assert isinstance(file, WebFile)
        assert re.fullmatch("[0-9a-f]{64}", file.sha256)
        (in_its_name,) = re.findall("_([0-9a-f]{6})[.]pth$", file.url)
        assert not file.sha256.startswith(in_its_name)


@pytest.mark.parametrize("name", FROM_THE_HUB)
def test_the_table_counts_the_parameters(name: str) -> None:
    """At the published size, on a device that holds no weights."""
    with torch.device("meta"):
        model = ARCHITECTURES[name].model(ARCHITECTURES[name].published())
    assert sum(parameter.numel() for parameter in model.parameters()) == CHECKPOINTS[name].parameters


@pytest.mark.parametrize("checkpoint", ORIGINAL_SAMS.values(), ids=ORIGINAL_SAMS)
def test_our_sam_takes_the_authors_files(checkpoint: Checkpoint) -> None:
    """The names and shapes of the weights are those of the authors' own builder, at full size."""
    assert checkpoint.sam_size is not None
    with torch.device("meta"):
        theirs = sam_model_registry[checkpoint.sam_size]()
        ours = build_sam(PUBLISHED[checkpoint.sam_size])
    assert shapes(ours.state_dict()) == shapes(theirs.state_dict())
    assert sum(parameter.numel() for parameter in theirs.parameters()) == checkpoint.parameters


@pytest.mark.parametrize("name", FROM_THE_HUB)
def test_a_small_one_loads_and_answers(name: str, tmp_path: Path, sample: Image.Image) -> None:
    """From config, weights and processor files as the hub holds them to an answer of the right form."""
    checkpoint = publish(name, tmp_path)
    model = loader(tmp_path).load(checkpoint)
    pipeline = Pipeline.load("tiny", "cpu").with_model(checkpoint.stage, model)
    pipeline.warm_up()
    assert model.card.name == name
    if checkpoint.stage is StageName.CLASSIFY:
        scores = [found.score for found in pipeline.classifier.classify(sample, ["cat", "snowboard"]).candidates]
        assert sum(scores) == pytest.approx(1)
    elif checkpoint.stage is StageName.DETECT:
        (found,) = pipeline.detector.detect(sample, "snowboard", threshold=1e-9).boxes
        assert 0 <= found.box[0] <= found.box[2] <= sample.width
    else:
        (mask,) = pipeline.segmenter.segment(sample, [(100.0, 90.0, 500.0, 400.0)])
        assert mask.pixels.shape == (sample.height, sample.width)


@pytest.mark.parametrize("name", A_KIND_EACH)
def test_one_of_each_kind_answers_alike_in_half_precision(name: str, tmp_path: Path, sample: Image.Image) -> None:
    """Also where transformers' modules look at their layers' dtypes; scores differ by the rounding alone."""
    checkpoint = publish(name, tmp_path)
    half = replace(Execution.choose("cpu", "bfloat16"), narrowest=1)
    exact, rounded = (Loader(ModelFolder(tmp_path), way).load(checkpoint).stage for way in (EXACT, half))
    layers = [
        type(layer) for model in vars(rounded).values() if isinstance(model, nn.Module) for layer in model.modules()
    ]
    assert HalfLinear in layers
    if isinstance(exact, Classifier) and isinstance(rounded, Classifier):
        ours, theirs = (
            {found.label: found.score for found in stage.classify(sample, ["cat", "snowboard"]).candidates}
            for stage in (rounded, exact)
        )
        assert ours == pytest.approx(theirs, abs=0.05)
    elif isinstance(exact, Detector) and isinstance(rounded, Detector):
        best, expected = (stage.detect(sample, "snowboard", threshold=1e-9).best_score for stage in (rounded, exact))
        assert best == pytest.approx(expected, abs=0.05)
    elif isinstance(exact, Segmenter) and isinstance(rounded, Segmenter):
        (mask,), (expected_mask,) = (stage.segment(sample, [(100.0, 90.0, 500.0, 400.0)]) for stage in (rounded, exact))
        assert mask.predicted_iou == pytest.approx(expected_mask.predicted_iou, abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*chosen("base")[StageName.SEGMENT].name.split(), *A_KIND_EACH])
def test_one_of_each_kind_loads_at_full_size(name: str, tmp_path: Path) -> None:
    """Hundreds of megabytes of random weights, written and read."""
    checkpoint = publish(name, tmp_path, small=False)
    pipeline = Pipeline.load("tiny", "cpu").with_model(checkpoint.stage, loader(tmp_path).load(checkpoint))
    pipeline.warm_up()


def test_weights_of_older_versions_load(tmp_path: Path) -> None:
    """Older transformers saved position ids with the weights: they say nothing, and are no reason to refuse."""
    checkpoint = publish("openai/clip-vit-base-patch32", tmp_path)
    folder = ModelFolder(tmp_path).of(checkpoint)
    weights = load_file(folder / "model.safetensors")
    weights["text_model.embeddings.position_ids"] = torch.arange(77)[None]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    write_sums(folder)
    assert loader(tmp_path).load(checkpoint)


def test_weights_without_safetensors_load(tmp_path: Path) -> None:
    """Some repositories of the hub hold `pytorch_model.bin` alone."""
    checkpoint = publish("openai/clip-vit-base-patch32", tmp_path)
    folder = ModelFolder(tmp_path).of(checkpoint)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    write_sums(folder)
    assert loader(tmp_path).load(checkpoint)


def test_a_vocabulary_and_its_merges_are_a_tokenizer(tmp_path: Path) -> None:
    """MetaCLIP's repository has no `tokenizer.json`: the same texts become the same tokens."""
    checkpoint = publish("facebook/metaclip-b32-400m", tmp_path)
    folder = ModelFolder(tmp_path).of(checkpoint)
    known = json.loads((folder / "tokenizer.json").read_text())["model"]
    for path in folder.glob("*token*.json"):
        path.unlink()
    (folder / "vocab.json").write_text(json.dumps(known["vocab"]))
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in known["merges"]]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]))
    ends = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}
    described = {**ends, "pad_token": "<|endoftext|>", "tokenizer_class": "CLIPTokenizer", "model_max_length": 77}
    (folder / "tokenizer_config.json").write_text(json.dumps(described))
    write_sums(folder)
    classifier: Any = loader(tmp_path).load(checkpoint).stage
    bundled: Any = loader(tmp_path).load(CHECKPOINTS["mainmask/tiny-clip"]).stage
    for text in ("a photo of a dog.", "Zwei Hunde, 2 катки", "snow-boards!!"):
        tokens = (stage._processor.tokenizer(text)["input_ids"] for stage in (classifier, bundled))
        assert next(tokens) == next(tokens)


def test_a_stage_takes_another_model_of_its_own_only() -> None:
    """A model of the table in the profile's place; not another stage's, and no name that isn't there."""
    assert chosen("tiny", {StageName.DETECT: "google/owlv2-base-patch16-ensemble"})[StageName.DETECT].kind == "owlv2"
    with pytest.raises(UnknownModel, match="to detect with"):
        chosen("tiny", {StageName.DETECT: "mainmask/tiny-clip"})
    with pytest.raises(UnknownModel, match="there are: mainmask/tiny-sam"):
        chosen("tiny", {StageName.SEGMENT: "../../etc"})


def test_equal_seeds_publish_equal_weights() -> None:
    """What the parity tests compare is the same model twice."""
    first, second = (build("nielsr/slimsam-77-uniform", small=True).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
