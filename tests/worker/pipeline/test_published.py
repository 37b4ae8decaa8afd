"""Each line of the table, loaded by the product's own code from files in the form in which it is published."""

import json
import pickle
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
from db.errors import CheckpointInvalid, CheckpointMissing, UnknownModel
from db.profiles import PROFILES, chosen
from db.states import StageName
from tests.worker.pipeline.published import ARCHITECTURES, build, publish, write_sums
from worker.pipeline.checkpoints import Loader
from worker.pipeline.classify import Classifier
from worker.pipeline.detect import Detector
from worker.pipeline.execution import Execution
from worker.pipeline.linear import HalfLinear
from worker.pipeline.model_files import ModelFolder
from worker.pipeline.pipeline import Pipeline
from worker.pipeline.sam import PUBLISHED, build_sam, load_sam
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


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self._path, "sprung")


@pytest.mark.parametrize("packed", ["as torch saves", "as a bare pickle"])
@pytest.mark.parametrize("name", ["segment-anything/vit-b", "openai/clip-vit-base-patch32"])
def test_a_file_with_code_is_refused_and_not_run(name: str, packed: str, tmp_path: Path) -> None:
    """Even with the right sums: weights are data, and nothing else in the file is looked at."""
    checkpoint, sprung = CHECKPOINTS[name], tmp_path / "sprung"
    folder = ModelFolder(tmp_path / "models").of(checkpoint)
    if isinstance(checkpoint.source, WebFile):
        folder.mkdir(parents=True)
        path = folder / checkpoint.source.url.rpartition("/")[2]
    else:
        publish(name, tmp_path / "models")
        (folder / "model.safetensors").unlink()
        path = folder / "pytorch_model.bin"
    if packed == "as torch saves":
        torch.save({"weight": Trap(sprung)}, path)
    else:
        path.write_bytes(pickle.dumps({"weight": Trap(sprung)}, protocol=2))
    write_sums(folder)
    with pytest.raises(CheckpointInvalid):
        loader(tmp_path / "models").load(checkpoint)
    assert not sprung.exists()


def test_the_trap_would_spring(tmp_path: Path) -> None:
    """The file of the test above is as bad as it says."""
    pickle.loads(pickle.dumps(Trap(tmp_path / "sprung")))
    assert (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    "spoil",
    {
        "truncated": lambda data: data[: len(data) // 2],
        "an error page": lambda _: b"<!DOCTYPE html><html><title>404</title></html>",
        "empty": lambda _: b"",
        "noise": lambda data: bytes(len(data)),
    }.items(),
    ids=lambda item: item[0],
)
@pytest.mark.parametrize("name", ["openai/clip-vit-base-patch32", "segment-anything/vit-b"])
def test_what_is_no_checkpoint_is_refused(name: str, spoil: Any, tmp_path: Path) -> None:
    """Whatever it is, and even if its sum is right, the error is ours and names the folder."""
    checkpoint = CHECKPOINTS[name]
    folder = ModelFolder(tmp_path).of(checkpoint)
    if isinstance(checkpoint.source, WebFile):
        folder.mkdir()
        path = folder / checkpoint.source.url.rpartition("/")[2]
        torch.save({"weight": torch.zeros(100)}, path)
    else:
        publish(name, tmp_path)
        path = folder / "model.safetensors"
    path.write_bytes(spoil[1](path.read_bytes()))
    write_sums(folder)
    with pytest.raises(CheckpointInvalid, match=folder.name):
        loader(tmp_path).load(checkpoint)


def test_weights_of_another_size_are_refused(tmp_path: Path) -> None:
    """The config says one thing and the weights another."""
    checkpoint = publish("openai/clip-vit-base-patch32", tmp_path)
    folder = ModelFolder(tmp_path).of(checkpoint)
    config = json.loads((folder / "config.json").read_text())
    config["vision_config"]["hidden_size"] = 64
    (folder / "config.json").write_text(json.dumps(config))
    write_sums(folder)
    with pytest.raises(CheckpointInvalid):
        loader(tmp_path).load(checkpoint)


def test_a_pth_of_another_architecture_is_refused(tmp_path: Path) -> None:
    """Weights of a SAM that are not this SAM's."""
    torch.save({"image_encoder.pos_embed": torch.zeros(1, 4, 4, 8)}, tmp_path / "sam.pth")
    with pytest.raises(CheckpointInvalid, match=r"sam\.pth"):
        load_sam(tmp_path / "sam.pth", next(iter(PUBLISHED)))


def test_what_was_not_pulled_says_how_to(tmp_path: Path) -> None:
    """No folder, or one whose pull didn't end."""
    checkpoint = publish("nielsr/slimsam-77-uniform", tmp_path)
    (ModelFolder(tmp_path).of(checkpoint) / "SHA256SUMS").unlink()
    for name in ("nielsr/slimsam-77-uniform", "segment-anything/vit-h"):
        with pytest.raises(CheckpointMissing, match=f"mainmask models pull {name}"):
            loader(tmp_path).load(CHECKPOINTS[name])


@pytest.mark.parametrize("line", ["nonsense", f"{'0' * 64}  ../../etc/passwd", f"{'0' * 63}  model.safetensors"])
def test_a_list_of_sums_that_is_none_is_refused(line: str, tmp_path: Path) -> None:
    """Also one that leads out of its folder."""
    checkpoint = publish("nielsr/slimsam-77-uniform", tmp_path)
    (ModelFolder(tmp_path).of(checkpoint) / "SHA256SUMS").write_text(line + "\n")
    with pytest.raises(CheckpointInvalid, match="no checksum"):
        loader(tmp_path).load(checkpoint)


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
