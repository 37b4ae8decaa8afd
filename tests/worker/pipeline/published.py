"""Checkpoints with random weights in the very forms in which the hub and the authors publish theirs."""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from segment_anything import sam_model_registry
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import (
    Owlv2ImageProcessor,
    PreTrainedTokenizerFast,
    SamImageProcessor,
    SiglipImageProcessor,
)

from db.catalog import CHECKPOINTS
from db.checkpoints import Bundled, Checkpoint, WebFile
from tests.worker.pipeline.architectures import DETECTOR_SIDE, SIDE, build
from worker.pipeline.model_files import BUNDLED, ModelFolder


def publish(
    name: str,
    root: Path,
    *,
    small: bool = True,
    weights: Mapping[str, torch.Tensor] | None = None,
    preprocessor: Mapping[str, Any] | None = None,
) -> Checkpoint:
    """Write the checkpoint as its publisher does into its folder under `root`, with the sums that a pull leaves.

    Its weights are random, or the given ones, which are those of a model of the hub's. `preprocessor` is what its
    `preprocessor_config.json` holds, where that isn't to be the bundled model's settings for its size.
    """
    checkpoint = CHECKPOINTS[name]
    folder = ModelFolder(root).of(checkpoint)
    folder.mkdir(parents=True)
    if isinstance(checkpoint.source, WebFile):
        if small:
            raise ValueError("the authors' .pth files have published sizes alone")
        torch.manual_seed(0)
        original = sam_model_registry[str(checkpoint.sam_size)]()
        torch.save(original.state_dict(), folder / checkpoint.source.url.rpartition("/")[2])
    else:
        assert not isinstance(checkpoint.source, Bundled)
        model = build(name, small=small)
        if weights is not None:
            model.load_state_dict(weights)
        model.save_pretrained(folder)
        side = DETECTOR_SIDE if "grounding" in checkpoint.kind else SIDE
        PROCESSORS[checkpoint.kind.value](folder, side if small else checkpoint.input_pixels)
        if preprocessor is not None:
            (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    write_sums(folder)
    return checkpoint


def write_sums(folder: Path) -> None:
    """SHA256SUMS of all that lies in the folder."""
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in sorted(folder.iterdir())
        if path.name != "SHA256SUMS"
    ]
    (folder / "SHA256SUMS").write_text("".join(lines))


def _like_the_bundled(bundled: str, folder: Path, side: int) -> None:
    """The processor files of the bundled model of the same class, for this size."""
    for path in (BUNDLED / bundled).glob("*token*.json"):
        shutil.copy(path, folder)
    settings = json.loads((BUNDLED / bundled / "processor_config.json").read_text())["image_processor"]
    for name in ("crop_size", "size", "pad_size"):
        if name in settings:
            settings[name] = dict.fromkeys(settings[name], side)
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))


def old_clip_preprocessor(side: int) -> dict[str, Any]:
    """OpenAI's own, of before there were image processors: sides are plain numbers, and what is usual isn't said."""
    return {
        "crop_size": side,
        "do_center_crop": True,
        "do_normalize": True,
        "do_resize": True,
        "feature_extractor_type": "CLIPFeatureExtractor",
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
        "resample": 3,
        "size": side,
    }


def unpadded_grounding_preprocessor(shortest: int, longest: int) -> dict[str, Any]:
    """GroundingDINO's own, whose sides are 800 and 1333: pictures keep their shapes, and one alone has no padding."""
    return {
        "do_normalize": True,
        "do_pad": True,
        "do_rescale": True,
        "do_resize": True,
        "format": "coco_detection",
        "image_mean": [0.485, 0.456, 0.406],
        "image_processor_type": "GroundingDinoImageProcessor",
        "image_std": [0.229, 0.224, 0.225],
        "resample": 2,
        "rescale_factor": 1 / 255,
        "size": {"longest_edge": longest, "shortest_edge": shortest},
    }


def _siglip(folder: Path, side: int) -> None:
    size = {"height": side, "width": side}
    SiglipImageProcessor(size=size, image_mean=[0.5] * 3, image_std=[0.5] * 3).save_pretrained(folder)
    _words(folder, length=64, model_input_names=["input_ids"])


def _owlv2(folder: Path, side: int) -> None:
    Owlv2ImageProcessor(size={"height": side, "width": side}).save_pretrained(folder)
    _words(folder, length=16)


def _words(folder: Path, length: int, **more: Any) -> None:
    """A tokenizer of a few words; 0 is the padding, which OWLv2 takes for no text at all where it comes first."""
    words = "<pad> <unk> a photo of picture the in middle . cat dog snowboard man".split()
    tokenizer = Tokenizer(WordLevel({word: number for number, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>", model_max_length=length, **more
    ).save_pretrained(folder)


def _sam(folder: Path, side: int) -> None:
    SamImageProcessor(size={"longest_edge": side}, pad_size={"height": side, "width": side}).save_pretrained(folder)


PROCESSORS: dict[str, Callable[[Path, int], None]] = {
    "clip": partial(_like_the_bundled, "clip"),
    "siglip": _siglip,
    "grounding-dino": partial(_like_the_bundled, "grounding-dino"),
    "mm-grounding-dino": partial(_like_the_bundled, "grounding-dino"),
    "owlv2": _owlv2,
    "sam": _sam,
    "sam-hq": _sam,
}
