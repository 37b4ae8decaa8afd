"""From a checkpoint's files to a model that answers: one code path for all kinds, in which no file runs code."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
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
from worker.pipeline.close_ups import CloseUpSegmenter
from worker.pipeline.configurations import check_configuration
from worker.pipeline.detect import Detector
from worker.pipeline.encoding import Encode, Encoder
from worker.pipeline.execution import Execution
from worker.pipeline.graph_cut import snap
from worker.pipeline.grounding_dino import GroundingDino
from worker.pipeline.model_files import BUNDLED, ModelFiles, ModelFolder
from worker.pipeline.owlv2 import Owlv2Detector
from worker.pipeline.results import ModelCard
from worker.pipeline.sam import load_sam
from worker.pipeline.sam_attention import accelerate
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
class Loading:
    """A checkpoint on its way: what it is, where its files lie, and how it will run."""

    checkpoint: Checkpoint
    files: ModelFiles
    execution: Execution

    @property
    def model(self) -> str:
        """Names the very weights: features of another checkpoint or revision never pass for theirs."""
        return f"{self.checkpoint.name}@{self.files.revision}"

    def encoder(self, encode: Encode) -> Encoder:
        """The image encoder of a model that sees pictures in many sizes; its features are large, and stay here."""
        return self.execution.encoder(self.checkpoint.stage, encode, self.model)

    def fixed_size_encoder(self, encode: Encode) -> Encoder:
        """The image encoder of a model that sees all pictures in one size: it may be compiled, its features shared."""
        encode = self.execution.compiled(encode, self.model)
        return self.execution.encoder(self.checkpoint.stage, encode, self.model, is_shared=True)


@dataclass(frozen=True)
class Loader:
    """Loads checkpoints from a folder of pulled models."""

    folder: ModelFolder
    execution: Execution
    """How they are to run."""

    def load(self, checkpoint: Checkpoint) -> LoadedModel:
        """The checkpoint, ready to answer; raises `CheckpointMissing` and `CheckpointInvalid`."""
        files = self.folder.find(checkpoint)
        with ONE_AT_A_TIME, broken_files(files.folder):
            for path in sorted(files.folder.glob("*config.json")):
                check_configuration(path)
            stage = LOADERS[checkpoint.kind](Loading(checkpoint, files, self.execution))
        return LoadedModel(stage, card(checkpoint, files))

    def only_compiling(self, checkpoints: Iterable[Checkpoint]) -> Callable[[Checkpoint], LoadedModel]:
        """`load`, by which no others than these are compiled: that takes minutes, at the first call of a model.

        A worker warms its own models up. Others are called first by the job that asks for them, under its deadline.
        """
        own = {checkpoint.name for checkpoint in checkpoints}
        plain = replace(self, execution=replace(self.execution, compiles=False))
        return lambda checkpoint: (self if checkpoint.name in own else plain).load(checkpoint)


def card(checkpoint: Checkpoint, files: ModelFiles) -> ModelCard:
    """Which weights these are."""
    return ModelCard(checkpoint.name, files.revision, checkpoint.license.id, files.commit)


# A bar for each file is noise in a worker's log.
disable_progress_bar()


@dataclass(frozen=True)
class FromTransformers:
    """How one class of transformers' models is loaded from a folder."""

    model: type[Any]
    processor: type[Any]
    stage: Callable[[Any, Any, Loading], Stage]
    """Puts model and processor together, and to the device."""

    def __call__(self, loading: Loading) -> Stage:
        """The stage, ready to answer."""
        files = loading.files
        model, report = self.model.from_pretrained(
            files.folder,
            dtype=torch.float32,
            use_safetensors=files.weights.suffix == ".safetensors",
            weights_only=True,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
        _check_whole(report, files)
        processor = self.processor.from_pretrained(files.folder, local_files_only=True, trust_remote_code=False)
        return self.stage(model, processor, loading)


def _check_whole(report: dict[str, Any], files: ModelFiles) -> None:
    """transformers fills what is missing with random numbers and a warning: such a model would answer nonsense."""
    # Older versions of transformers saved the positions 0, 1, 2 … with the weights.
    left_over = {key for key in report["unexpected_keys"] if not key.endswith("position_ids")}
    if wrong := sorted({*report["missing_keys"], *left_over}):
        raise CheckpointInvalid(files.folder, f"weights are missing or left over: {', '.join(wrong[:5])}")


def _clip(model: CLIPModel, processor: Any, loading: Loading) -> Stage:
    _halve_towers(model, loading)
    placed = loading.execution.place(model)
    classifier = Classifier(placed, processor, _calibration(loading), middle=loading.checkpoint.middle)
    classifier.encode = loading.fixed_size_encoder(classifier.encode)
    return classifier


def _siglip(model: SiglipModel, processor: Any, loading: Loading) -> Stage:
    _halve_towers(model, loading)
    classifier = SiglipClassifier(loading.execution.place(model), processor)
    classifier.encode = loading.fixed_size_encoder(classifier.encode)
    return classifier


def _halve_towers(model: CLIPModel | SiglipModel, loading: Loading) -> None:
    for tower in (model.vision_model, model.text_model):
        loading.execution.halve(tower, inner=("fc1",))


def _grounding_dino(original: GroundingDinoForObjectDetection, processor: Any, loading: Loading) -> Stage:
    execution = loading.execution
    model = execution.place(GroundingDino(original, execution.dtype, smallest=execution.narrowest))
    model.encode = loading.encoder(model.encode)
    return Detector(model, processor, loading.checkpoint.box_thresholds, _box_rule(loading))


def _mm_grounding_dino(model: MMGroundingDinoForObjectDetection, processor: Any, loading: Loading) -> Stage:
    loading.execution.halve(model.model, inner=("fc1",))
    return Detector(loading.execution.place(model), processor, loading.checkpoint.box_thresholds)


def _owlv2(model: Owlv2ForObjectDetection, processor: Any, loading: Loading) -> Stage:
    loading.execution.halve(model.owlv2, inner=("fc1",))
    return Owlv2Detector(loading.execution.place(model), processor, loading.checkpoint.box_thresholds)


def _segment_anything(loading: Loading) -> Stage:
    model = load_sam(loading.files.weights, loading.checkpoint.sam_size).float()
    accelerate(model, loading.execution.dtype, smallest=loading.execution.narrowest)
    segmenter = Segmenter(loading.execution.place(model), snap if loading.checkpoint.snaps else None)
    segmenter.encode = loading.fixed_size_encoder(segmenter.encode)
    context = loading.checkpoint.context
    return CloseUpSegmenter(segmenter, context) if context else segmenter


def _sam(model: SamModel, processor: Any, loading: Loading) -> Stage:
    segmenter = _transformers_segmenter(model, processor, loading)
    segmenter.encode = loading.fixed_size_encoder(segmenter.encode)
    return segmenter


def _sam_hq(model: SamHQModel, processor: Any, loading: Loading) -> Stage:
    # Neither batched nor remembered: its decoder looks at what four layers say, ten times the size of a picture's.
    return _transformers_segmenter(mended(model), processor, loading)


def _transformers_segmenter(model: SamModel | SamHQModel, processor: Any, loading: Loading) -> TransformersSegmenter:
    loading.execution.halve(model.vision_encoder, inner=("lin1",))
    return TransformersSegmenter(loading.execution.place(model), processor)


def _calibration(loading: Loading) -> Calibration:
    """Only the bundled models were measured: there is no network, and no public weights, where that was done."""
    is_measured = isinstance(loading.checkpoint.source, Bundled)
    return read_calibration(CALIBRATION).of_classifier(loading.files.revision) if is_measured else UNCALIBRATED


def _box_rule(loading: Loading) -> BoxRule | None:
    is_measured = isinstance(loading.checkpoint.source, Bundled)
    return read_calibration(CALIBRATION).of_detector(loading.files.revision) if is_measured else None


LOADERS: dict[Kind, Callable[[Loading], Stage]] = {
    Kind.CLIP: FromTransformers(CLIPModel, CLIPProcessor, _clip),
    Kind.SIGLIP: FromTransformers(SiglipModel, SiglipProcessor, _siglip),
    Kind.GROUNDING_DINO: FromTransformers(GroundingDinoForObjectDetection, GroundingDinoProcessor, _grounding_dino),
    Kind.MM_GROUNDING_DINO: FromTransformers(
        MMGroundingDinoForObjectDetection, GroundingDinoProcessor, _mm_grounding_dino
    ),
    Kind.OWLV2: FromTransformers(Owlv2ForObjectDetection, Owlv2Processor, _owlv2),
    Kind.SAM: FromTransformers(SamModel, SamImageProcessor, _sam),
    Kind.SAM_HQ: FromTransformers(SamHQModel, SamImageProcessor, _sam_hq),
    Kind.SEGMENT_ANYTHING: _segment_anything,
}
