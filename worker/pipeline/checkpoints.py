"""From a checkpoint's files to a model that answers: one code path for all kinds, in which no file runs code."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from transformers import (
    CLIPModel,
    CLIPProcessor,
    GroundingDinoForObjectDetection,
    GroundingDinoProcessor,
    MMGroundingDinoForObjectDetection,
    Owlv2ForObjectDetection,
    Owlv2Processor,
    SamHQModel,
    SamImageProcessor,
    SamModel,
    SiglipModel,
    SiglipProcessor,
)
from transformers.utils.logging import disable_progress_bar

from db.checkpoints import Bundled, Checkpoint, Kind
from db.errors import CheckpointInvalid
from worker.pipeline.broken_files import broken_files
from worker.pipeline.calibration import UNCALIBRATED, BoxRule, Calibration, read_calibration
from worker.pipeline.classify import Classifier
from worker.pipeline.configurations import check_configuration
from worker.pipeline.detect import Detector
from worker.pipeline.model_files import BUNDLED, ModelFiles, ModelFolder
from worker.pipeline.owlv2 import Owlv2Detector
from worker.pipeline.results import ModelCard
from worker.pipeline.sam import load_sam
from worker.pipeline.sam_hq import mended
from worker.pipeline.segment import Segmenter
from worker.pipeline.siglip import SiglipClassifier
from worker.pipeline.transformers_sam import TransformersSegmenter

Stage = Classifier | Detector | Segmenter

CALIBRATION = BUNDLED / "calibration.json"
"""Of the bundled models; `python -m worker.tiny.calibrate` writes it."""

ONE_AT_A_TIME = threading.Lock()
"""transformers loads with process-wide switches: of two models that are loaded side by side, one may miss weights."""


@dataclass(frozen=True)
class LoadedModel:
    """A model that answers, and the card that says which it is."""

    stage: Stage
    card: ModelCard


@dataclass(frozen=True)
class Loader:
    """Loads checkpoints from a folder of pulled models to one device."""

    folder: ModelFolder
    device: torch.device
    dtype: torch.dtype = torch.float32

    def load(self, checkpoint: Checkpoint) -> LoadedModel:
        """The checkpoint, ready to answer; raises `CheckpointMissing` and `CheckpointInvalid`."""
        files = self.folder.find(checkpoint)
        with ONE_AT_A_TIME, broken_files(files.folder):
            for path in sorted(files.folder.glob("*config.json")):
                check_configuration(path)
            stage = LOADERS[checkpoint.kind](checkpoint, files, self)
        return LoadedModel(stage, card(checkpoint, files))


def card(checkpoint: Checkpoint, files: ModelFiles) -> ModelCard:
    """Which weights these are."""
    return ModelCard(checkpoint.name, files.revision, checkpoint.license.id)


def choose_device(name: str) -> torch.device:
    """A torch device by its name; `auto` takes CUDA where there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


# A bar for each file is noise in a worker's log.
disable_progress_bar()


@dataclass(frozen=True)
class FromTransformers:
    """How one class of transformers' models is loaded from a folder."""

    model: type[Any]
    processor: type[Any]
    stage: Callable[[Any, Any, Checkpoint, str], Stage]
    """Puts model and processor together; the last is the revision."""

    def __call__(self, checkpoint: Checkpoint, files: ModelFiles, loader: Loader) -> Stage:
        """The stage, in the loader's precision, on its device."""
        model, report = self.model.from_pretrained(
            files.folder,
            dtype=loader.dtype,
            use_safetensors=files.weights.suffix == ".safetensors",
            weights_only=True,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
        _check_whole(report, files)
        processor = self.processor.from_pretrained(files.folder, local_files_only=True, trust_remote_code=False)
        return self.stage(model.to(loader.device), processor, checkpoint, files.revision)


def _check_whole(report: dict[str, Any], files: ModelFiles) -> None:
    """transformers fills what is missing with random numbers and a warning: such a model would answer nonsense."""
    # Older versions of transformers saved the positions 0, 1, 2 … with the weights.
    left_over = {key for key in report["unexpected_keys"] if not key.endswith("position_ids")}
    if wrong := sorted({*report["missing_keys"], *left_over}):
        raise CheckpointInvalid(files.folder, f"weights are missing or left over: {', '.join(wrong[:5])}")


def _segment_anything(checkpoint: Checkpoint, files: ModelFiles, loader: Loader) -> Stage:
    return Segmenter(load_sam(files.weights, checkpoint.sam_size).to(loader.device, loader.dtype))


def _clip(model: Any, processor: Any, checkpoint: Checkpoint, revision: str) -> Stage:
    return Classifier(model, processor, _calibration(checkpoint, revision))


def _siglip(model: Any, processor: Any, _: Checkpoint, __: str) -> Stage:
    return SiglipClassifier(model, processor)


def _grounding_dino(model: Any, processor: Any, checkpoint: Checkpoint, revision: str) -> Stage:
    return Detector(model, processor, checkpoint.box_thresholds, _box_rule(checkpoint, revision))


def _owlv2(model: Any, processor: Any, checkpoint: Checkpoint, _: str) -> Stage:
    return Owlv2Detector(model, processor, checkpoint.box_thresholds)


def _sam(model: Any, processor: Any, _: Checkpoint, __: str) -> Stage:
    return TransformersSegmenter(model, processor)


def _sam_hq(model: Any, processor: Any, _: Checkpoint, __: str) -> Stage:
    return TransformersSegmenter(mended(model), processor)


def _calibration(checkpoint: Checkpoint, revision: str) -> Calibration:
    """Only the bundled models were measured."""
    is_measured = isinstance(checkpoint.source, Bundled)
    return read_calibration(CALIBRATION).of_classifier(revision) if is_measured else UNCALIBRATED


def _box_rule(checkpoint: Checkpoint, revision: str) -> BoxRule | None:
    is_measured = isinstance(checkpoint.source, Bundled)
    return read_calibration(CALIBRATION).of_detector(revision) if is_measured else None


LOADERS: dict[Kind, Callable[[Checkpoint, ModelFiles, Loader], Stage]] = {
    Kind.CLIP: FromTransformers(CLIPModel, CLIPProcessor, _clip),
    Kind.SIGLIP: FromTransformers(SiglipModel, SiglipProcessor, _siglip),
    Kind.GROUNDING_DINO: FromTransformers(GroundingDinoForObjectDetection, GroundingDinoProcessor, _grounding_dino),
    Kind.MM_GROUNDING_DINO: FromTransformers(
        MMGroundingDinoForObjectDetection, GroundingDinoProcessor, _grounding_dino
    ),
    Kind.OWLV2: FromTransformers(Owlv2ForObjectDetection, Owlv2Processor, _owlv2),
    Kind.SAM: FromTransformers(SamModel, SamImageProcessor, _sam),
    Kind.SAM_HQ: FromTransformers(SamHQModel, SamImageProcessor, _sam_hq),
    Kind.SEGMENT_ANYTHING: _segment_anything,
}
