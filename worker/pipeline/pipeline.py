"""The three stages one after another: a picture and candidates in, masks out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from PIL import Image

from db.checkpoints import Checkpoint
from db.errors import NoCandidates
from db.profiles import chosen
from db.settings import default_models_dir
from db.states import StageName
from worker.pipeline.broken_files import broken_files
from worker.pipeline.checkpoints import LoadedModel, Loader
from worker.pipeline.classify import Classifier
from worker.pipeline.detect import Detector
from worker.pipeline.execution import Execution
from worker.pipeline.images import decode
from worker.pipeline.model_files import ModelFolder
from worker.pipeline.results import Candidate, Classification, Detection, Mask, ModelCard
from worker.pipeline.search import Finding, Wish, search
from worker.pipeline.segment import Segmenter

ANYTHING = Wish()
WARM_UP_SIZE = (64, 48)
"""Width and height, in pixels: any size takes the models as long."""


@dataclass(frozen=True)
class MainObject:
    """What the pipeline found: `masks[i]` belongs to `detection.boxes[i]`; none of either when it was not found."""

    image: Image.Image
    classification: Classification
    detection: Detection
    masks: tuple[Mask, ...]


@dataclass(frozen=True)
class Pipeline:
    """One profile's models, built once; every method may be called from several threads."""

    classifier: Classifier
    detector: Detector
    segmenter: Segmenter
    cards: dict[str, ModelCard]
    """The weights behind each stage, by the stage's name."""

    @classmethod
    def load(
        cls,
        profile_name: str = "tiny",
        device: str = "auto",
        models_dir: Path | None = None,
        execution: Execution | None = None,
    ) -> "Pipeline":
        """Load a profile's three models; `models_dir` is where pulled ones lie.

        `execution` says more than the device: without, nothing is batched or remembered. Raises `DeviceUnavailable`,
        `UnknownProfile`, `CheckpointMissing` and `CheckpointInvalid`.
        """
        loader = Loader(ModelFolder(models_dir or default_models_dir()), execution or Execution.choose(device))
        return cls.of(chosen(profile_name), loader.load)

    @classmethod
    def of(cls, checkpoints: Mapping[StageName, Checkpoint], load: Callable[[Checkpoint], LoadedModel]) -> "Pipeline":
        """The pipeline of these checkpoints, one a stage."""
        models = {stage: load(checkpoint) for stage, checkpoint in checkpoints.items()}
        return cls(
            classifier=cast("Classifier", models[StageName.CLASSIFY].stage),
            detector=cast("Detector", models[StageName.DETECT].stage),
            segmenter=cast("Segmenter", models[StageName.SEGMENT].stage),
            cards={str(stage): model.card for stage, model in models.items()},
        )

    def with_model(self, stage: StageName, model: LoadedModel) -> "Pipeline":
        """This pipeline with another model for one stage; this one stays as it is."""
        changed: dict[str, Any] = {STAGE_FIELDS[stage]: model.stage}
        return replace(self, **changed, cards={**self.cards, str(stage): model.card})

    def warm_up(self) -> None:
        """Run each model once: the first call is the slowest, and shows whether the model runs at all.

        Raises `CheckpointInvalid` for one that doesn't: a processor's settings aren't looked at before they are used.
        """
        image = Image.new("RGB", WARM_UP_SIZE, "gray")
        with broken_files(self.cards[StageName.CLASSIFY].name):
            self.classifier.classify(image, ["thing", "other thing"])
        with broken_files(self.cards[StageName.DETECT].name):
            self.detector.detect(image, "thing")
        with broken_files(self.cards[StageName.SEGMENT].name):
            self.segmenter.segment(image, [(8.0, 8.0, 56.0, 40.0)])

    def search(self, image: Image.Image, candidates: Sequence[Candidate], wish: Wish) -> Finding:
        """Look for the ranked candidates, one or more, in an RGB picture: see `worker.pipeline.search`."""
        return search(self.detector, image, candidates, wish)

    def run(self, data: bytes, labels: Sequence[str], wish: Wish = ANYTHING) -> MainObject:
        """From a picture file and candidate labels to the masks of the main object.

        Raises `InvalidImage`, `ImageTooLarge`, and `NoCandidates` when `labels` is empty.
        """
        if not labels:
            raise NoCandidates
        image = decode(data)
        classification = self.classifier.classify(image, labels)
        detection = self.search(image, classification.candidates, wish).detection
        masks = self.segmenter.segment(image, [found.box for found in detection.boxes])
        return MainObject(image, classification, detection, tuple(masks))


STAGE_FIELDS = {StageName.CLASSIFY: "classifier", StageName.DETECT: "detector", StageName.SEGMENT: "segmenter"}
