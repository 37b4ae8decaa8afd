"""What the models say about labels of which it is known whether they are in the picture."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from worker.pipeline.calibration import Calibration
from worker.pipeline.choosing import choose
from worker.pipeline.classify import Classifier
from worker.pipeline.detect import Detector
from worker.pipeline.pipeline import Pipeline
from worker.pipeline.results import Query
from worker.tiny.classes import object_classes
from worker.tiny.evaluation import box_iou, held_out_scenes
from worker.tiny.phrases import phrase
from worker.tiny.progress import progress
from worker.tiny.scenes import Scene

GOOD_BOX = 0.5
ABSENT = 4
STYLES = {"trained styles": True, "never-trained styles": False}


class Presence(StrEnum):
    """Whether a label is in the picture."""

    MAIN = "main object"
    OTHER = "another object"
    ABSENT = "absent"
    LIKELIEST_ABSENT = "likeliest of several absent ones"
    """By CLIP: the one that is looked for where all candidates are absent."""

    @property
    def is_there(self) -> bool:
        """Whether a box can be right."""
        return self in {Presence.MAIN, Presence.OTHER}


@dataclass(frozen=True)
class Asked:
    """A label alone: how well it fits by CLIP, and the detector's best box."""

    style: str
    presence: Presence
    fit: float
    box_score: float
    is_right: bool
    """The box is one of such an object."""


@dataclass(frozen=True)
class Labels:
    """Many labels that were asked."""

    labels: tuple[Asked, ...]

    def by_style(self) -> Iterator[tuple[str, "Labels"]]:
        """Apart by kind of style."""
        for style in STYLES:
            yield style, Labels(tuple(each for each in self.labels if each.style == style))

    def shares(self, least_scores: Sequence[float]) -> dict[str, float]:
        """How often the answer is right, if these are the least scores of the labels' boxes.

        Of what is there: the best box is taken, and is one of such an object. Of what isn't: no box is taken.
        """
        right: dict[Presence, list[bool]] = {presence: [] for presence in Presence}
        for each, least_score in zip(self.labels, least_scores, strict=True):
            is_found = each.box_score >= least_score
            right[each.presence].append(is_found and each.is_right if each.presence.is_there else not is_found)
        return {f"{presence}: right": round(float(np.mean(outcomes)), 3) for presence, outcomes in right.items()}

    def doubted(self, least_fit: float) -> dict[str, float]:
        """How many of the labels fit less."""
        fits = {presence: [each.fit for each in self.labels if each.presence is presence] for presence in Presence}
        return {
            str(presence): round(float(np.mean(np.array(found) < least_fit)), 3) for presence, found in fits.items()
        }


@dataclass(frozen=True)
class Choice:
    """CLIP's logits of some candidates; the first is the main object."""

    logits: NDArray[np.float64]


@dataclass(frozen=True)
class Testimony:
    """A label as the models see it, before any temperature."""

    style: str
    presence: Presence
    label: str
    logit: float
    other_logits: NDArray[np.float64]
    box_score: float
    is_right: bool


@dataclass(frozen=True)
class Witnesses:
    """All that was measured on some scenes."""

    choices: list[Choice]
    testimonies: list[Testimony]
    others: tuple[str, ...]

    def asked(self, temperature: float) -> Labels:
        """The labels with their fits, as the product computes them."""
        calibration = Calibration(temperature=temperature, others=self.others)
        found = []
        for each in self.testimonies:
            ranking = choose([each.label], np.array([each.logit]), each.other_logits, calibration)
            fit = ranking.candidates[0].fit
            found.append(Asked(each.style, each.presence, fit or 0.0, each.box_score, each.is_right))
        return Labels(tuple(found))


def testify(pipeline: Pipeline, work: Path, scenes: int, seed: int) -> Witnesses:
    """Ask the models about so many scenes in each kind of style, whatever their calibration is."""
    others = tuple(thing.name for thing in object_classes())
    witness = Witness(pipeline.classifier.with_calibration(Calibration(others=others)), pipeline.detector)
    witnesses = Witnesses([], [], others)
    for style, trained in STYLES.items():
        drawn = held_out_scenes(work, scenes, trained_styles=trained, seed=seed)
        for index, scene in enumerate(progress(drawn, f"{style}, seed {seed}", scenes)):
            witness.hear(witnesses, style, scene, np.random.default_rng((seed, int(trained), index)))
    return witnesses


@dataclass(frozen=True)
class Witness:
    """The two models that are asked."""

    classifier: Classifier
    detector: Detector

    def hear(self, witnesses: Witnesses, style: str, scene: Scene, rng: np.random.Generator) -> None:
        """Add what they say about one scene: the main object, the others, an absent one, and the likeliest of some."""
        image, classes = Image.fromarray(scene.image), object_classes()
        main = scene.labels[scene.main]
        present = [main, *sorted(set(scene.labels) - {main})]
        absent = rng.choice([k for k in range(len(classes)) if k not in scene.labels], ABSENT, replace=False).tolist()
        labels = [phrase(rng, classes[k]) for k in [*present, *absent]]
        logits, other_logits = self.classifier.logits(image, labels)
        there = len(present)
        witnesses.choices.append(Choice(logits))
        if there > 1:
            witnesses.choices.append(Choice(logits[:there]))
        kinds = [(0, Presence.MAIN), *((position, Presence.OTHER) for position in range(1, there))]
        likeliest = there + int(np.argmax(logits[there:]))
        for position, presence in [*kinds, (there, Presence.ABSENT), (likeliest, Presence.LIKELIEST_ABSENT)]:
            detection = self.detector.detect_each(image, [Query(labels[position], (0.0,))])[0]
            same = (k == [*present, *absent][position] for k in scene.labels)
            truth = [box for box, is_same in zip(scene.boxes(), same, strict=True) if is_same]
            is_right = bool(detection.boxes) and any(box_iou(detection.boxes[0].box, box) >= GOOD_BOX for box in truth)
            logit, score = float(logits[position]), detection.best_score
            witnesses.testimonies.append(
                Testimony(style, presence, labels[position], logit, other_logits, score, is_right)
            )
