"""Model profiles as data, and the one code path that loads them."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import CLIPModel, CLIPProcessor, GroundingDinoForObjectDetection, GroundingDinoProcessor
from transformers.utils.logging import disable_progress_bar

from db.errors import CheckpointInvalid, UnknownProfile
from worker.pipeline.classify import Classifier
from worker.pipeline.detect import Detector
from worker.pipeline.execution import Execution
from worker.pipeline.grounding_dino import GroundingDino
from worker.pipeline.linear import halve_linears
from worker.pipeline.results import ModelCard
from worker.pipeline.sam import load_sam
from worker.pipeline.sam_attention import accelerate
from worker.pipeline.segment import Segmenter

TINY = Path(__file__).parent.parent / "tiny" / "checkpoints"


@dataclass(frozen=True)
class Checkpoint:
    """One model's files and the licence they are under."""

    name: str
    source: Path
    license: str

    def card(self) -> ModelCard:
        """The revision is the beginning of the weights' SHA-256: other weights never pass for these."""
        return ModelCard(self.name, self.sha256()[:12], self.license)

    def sha256(self) -> str:
        """Of `model.safetensors`, read through.

        Raises `CheckpointInvalid` when it is missing or not what `SHA256SUMS` says.
        """
        weights = self.source / "model.safetensors"
        try:
            with weights.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            listed = (self.source / "SHA256SUMS").read_text().split()
        except OSError as error:
            raise CheckpointInvalid(self.source, str(error)) from error
        if digest not in listed:
            raise CheckpointInvalid(weights, "its SHA-256 is not the one in SHA256SUMS")
        return digest


@dataclass(frozen=True)
class Profile:
    """The three models that work together."""

    name: str
    clip: Checkpoint
    grounding_dino: Checkpoint
    sam: Checkpoint
    box_thresholds: tuple[float, ...]
    """The ladder of box scores, highest first."""


PROFILES = {
    "tiny": Profile(
        name="tiny",
        clip=Checkpoint("mainmask/tiny-clip", TINY / "clip", "Apache-2.0"),
        grounding_dino=Checkpoint("mainmask/tiny-grounding-dino", TINY / "grounding-dino", "Apache-2.0"),
        sam=Checkpoint("mainmask/tiny-sam", TINY / "sam", "Apache-2.0"),
        # Found on held-out scenes: at 0.25 the named object is found as often as the box is right at all.
        box_thresholds=(0.5, 0.35, 0.25),
    ),
}


def find_profile(name: str) -> Profile:
    """The profile of this name; raises `UnknownProfile`, which lists those there are."""
    try:
        return PROFILES[name]
    except KeyError as error:
        raise UnknownProfile(name, sorted(PROFILES)) from error


def load_classifier(profile: Profile, execution: Execution) -> Classifier:
    """CLIP, as it is to run; raises `CheckpointInvalid`."""
    with _translated(profile.clip):
        model, weights = _load(CLIPModel, profile.clip)
        for tower in (model.vision_model, model.text_model):
            halve_linears(tower, execution.dtype, inner=("fc1",))
        processor = CLIPProcessor.from_pretrained(profile.clip.source, local_files_only=True)
        classifier = Classifier(model.to(execution.device), processor)
        classifier.encode = execution.encoder("classify", classifier.encode, weights, is_shared=True)
        return classifier


def load_detector(profile: Profile, execution: Execution) -> Detector:
    """GroundingDINO, as it is to run; raises `CheckpointInvalid`."""
    source = profile.grounding_dino
    with _translated(source):
        original, weights = _load(GroundingDinoForObjectDetection, source)
        processor = GroundingDinoProcessor.from_pretrained(source.source, local_files_only=True)
        model = GroundingDino(original, execution.dtype).to(execution.device)
        # Not shared: its features are many times larger than the picture.
        model.encode = execution.encoder("detect", model.encode, weights)
        return Detector(model, processor, profile.box_thresholds)


def load_segmenter(profile: Profile, execution: Execution) -> Segmenter:
    """SAM, as it is to run; raises `CheckpointInvalid`."""
    weights = profile.sam.sha256()
    model = load_sam(profile.sam.source)
    accelerate(model, execution.dtype)
    segmenter = Segmenter(model.to(execution.device))
    segmenter.encode = execution.encoder("segment", segmenter.encode, weights, is_shared=True)
    return segmenter


# A bar for each file is noise in a worker's log.
disable_progress_bar()


def _load(kind: type[Any], checkpoint: Checkpoint) -> tuple[Any, str]:
    """The model in float32, and its weights' SHA-256."""
    weights = checkpoint.sha256()
    model, report = kind.from_pretrained(
        checkpoint.source,
        dtype=torch.float32,
        use_safetensors=True,
        local_files_only=True,
        trust_remote_code=False,
        output_loading_info=True,
    )
    # transformers fills what is missing with random numbers and a warning: such a model would answer nonsense.
    if wrong := sorted({*report["missing_keys"], *report["unexpected_keys"]}):
        raise CheckpointInvalid(checkpoint.source, f"weights are missing or left over: {', '.join(wrong[:5])}")
    return model, weights


@contextmanager
def _translated(checkpoint: Checkpoint) -> Iterator[None]:
    """What transformers raises on broken files (OSError, ValueError, KeyError…) as the project's own error."""
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise CheckpointInvalid(checkpoint.source, str(error)) from error
