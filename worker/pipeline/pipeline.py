"""The three stages one after another: a picture and candidates in, masks out."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from db.errors import NoCandidates
from worker.pipeline.calibration import UNCALIBRATED, Calibration
from worker.pipeline.checkpoints import (
    choose_device,
    find_profile,
    load_classifier,
    load_detector,
    load_segmenter,
)
from worker.pipeline.classify import Classifier
from worker.pipeline.detect import Detector
from worker.pipeline.images import decode
from worker.pipeline.results import Candidate, Classification, Detection, Mask, ModelCard
from worker.pipeline.search import Finding, Wish, search
from worker.pipeline.segment import Segmenter

ANYTHING = Wish()


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
    calibration: Calibration = UNCALIBRATED

    @classmethod
    def load(cls, profile_name: str = "tiny", device: str = "auto") -> "Pipeline":
        """Load a profile's three models; raises `UnknownProfile` and `CheckpointInvalid`."""
        profile, target = find_profile(profile_name), choose_device(device)
        return cls(
            calibration=profile.calibration(),
            classifier=load_classifier(profile, target),
            detector=load_detector(profile, target),
            segmenter=load_segmenter(profile, target),
            cards={
                "classify": profile.clip.card(),
                "detect": profile.grounding_dino.card(),
                "segment": profile.sam.card(),
            },
        )

    def search(self, image: Image.Image, candidates: Sequence[Candidate], wish: Wish) -> Finding:
        """Look for the ranked candidates, one or more, in an RGB picture: see `worker.pipeline.search`."""
        return search(self.detector, image, candidates, self.calibration, wish)

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
