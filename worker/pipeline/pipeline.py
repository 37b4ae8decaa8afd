"""The three stages one after another: a picture and candidates in, masks out."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from db.errors import NoCandidates
from worker.pipeline.checkpoints import find_profile, load_classifier, load_detector, load_segmenter
from worker.pipeline.classify import Classifier
from worker.pipeline.detect import Detector
from worker.pipeline.execution import Execution
from worker.pipeline.images import decode
from worker.pipeline.results import Classification, Detection, Mask, ModelCard
from worker.pipeline.segment import Segmenter


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
    def load(cls, profile_name: str = "tiny", device: str = "auto", execution: Execution | None = None) -> "Pipeline":
        """Load a profile's three models; raises `UnknownProfile` and `CheckpointInvalid`.

        `execution` says more than the device: without, nothing is batched or remembered.
        """
        profile, execution = find_profile(profile_name), execution or Execution.choose(device)
        return cls(
            classifier=load_classifier(profile, execution),
            detector=load_detector(profile, execution),
            segmenter=load_segmenter(profile, execution),
            cards={
                "classify": profile.clip.card(),
                "detect": profile.grounding_dino.card(),
                "segment": profile.sam.card(),
            },
        )

    def run(self, data: bytes, labels: Sequence[str], *, every_instance: bool = False) -> MainObject:
        """From a picture file and candidate labels to the masks of the main object.

        Raises `InvalidImage`, `ImageTooLarge`, and `NoCandidates` when `labels` is empty.
        """
        if not labels:
            raise NoCandidates
        image = decode(data)
        classification = self.classifier.classify(image, labels)
        label = classification.main_object.label
        detection = self.detector.detect(image, label, every_instance=every_instance)
        masks = self.segmenter.segment(image, [found.box for found in detection.boxes])
        return MainObject(image, classification, detection, tuple(masks))
