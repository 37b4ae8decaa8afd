"""How well the models do on scenes that they have not seen: one stage at a time, and all together."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from worker.pipeline.pipeline import Pipeline
from worker.tiny.art import HELD_OUT_STYLES, TRAINED_STYLES, fetch_art, load_sprites
from worker.tiny.classes import object_classes
from worker.tiny.dataset import OBJECT_COUNTS, random_size
from worker.tiny.scenes import Scene, compose

SEED = 20_261_123
SHORTEST_SIDE, LONGEST_SIDE = 300, 900
SPRITE_SIZE = 512
ABSENT_NAMES = 4
GOOD_MASK = 0.7

Answer = tuple[str, NDArray[np.bool_] | None]
Ask = Callable[[bytes, Sequence[str]], Answer]
"""A whole system: picture file and candidate labels in, main object's label and mask out."""


@dataclass
class Tally:
    """Outcomes of each measure: booleans to be counted, or figures to be averaged."""

    outcomes: dict[str, list[float]] = field(default_factory=dict)

    def add(self, measure: str, outcome: float) -> None:
        """Notes one outcome."""
        self.outcomes.setdefault(measure, []).append(float(outcome))


def held_out_scenes(work: Path, count: int, *, trained_styles: bool, seed: int = SEED) -> list[Scene]:
    """Scenes of 300 to 900 pixels a side, from seeds of their own, in the trained or in the never-trained styles."""
    styles = TRAINED_STYLES if trained_styles else HELD_OUT_STYLES
    fetch_art(work / "art", styles)
    sprites = load_sprites(work / "art", styles, SPRITE_SIZE)
    scenes = []
    for index in range(count):
        rng = np.random.default_rng((seed, int(trained_styles), index))
        longest = int(rng.integers(SHORTEST_SIDE * 4 // 3, LONGEST_SIDE + 1))
        width, height = random_size(rng, max(SHORTEST_SIDE, longest * 110 // 256), longest)
        scenes.append(compose(rng, sprites, width, height, 1 + int(rng.choice(4, p=OBJECT_COUNTS))))
    return scenes


def names_in(scene: Scene) -> list[str]:
    """The names of what is in the picture, in alphabetical order, so that their order gives nothing away."""
    return sorted({object_classes()[label].name for label in scene.labels})


def main_name(scene: Scene) -> str:
    """The main object's name."""
    return object_classes()[scene.labels[scene.main]].name


def as_file(scene: Scene) -> bytes:
    """The picture as a PNG."""
    buffer = io.BytesIO()
    Image.fromarray(scene.image).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def measure_whole(ask: Ask, scenes: Sequence[Scene], tally: Tally) -> None:
    """The right object, and its mask's IoU; and that nothing is cut out for what isn't there."""
    for index, scene in enumerate(scenes):
        label, mask = ask(as_file(scene), names_in(scene))
        right = label == main_name(scene)
        iou = 0.0 if mask is None else _mask_iou(mask, scene.mask(scene.main))
        tally.add("whole: right object", right)
        tally.add(f"whole: right object and mask IoU ≥ {GOOD_MASK}", right and iou >= GOOD_MASK)
        absent = _absent(scene, index)
        tally.add("whole: an absent name alone is not found", ask(as_file(scene), absent[:1])[1] is None)
        tally.add(f"whole: of {ABSENT_NAMES} absent names none is found", ask(as_file(scene), absent)[1] is None)


def ask_pipeline(pipeline: Pipeline) -> Ask:
    """The product's pipeline, without a service around it."""

    def ask(data: bytes, labels: Sequence[str]) -> Answer:
        found = pipeline.run(data, labels)
        return found.classification.main_object.label, found.masks[0].pixels if found.masks else None

    return ask


def measure_stages(pipeline: Pipeline, scenes: Sequence[Scene], tally: Tally) -> None:
    """Each stage given the truth about the ones before it."""
    for index, scene in enumerate(scenes):
        absent = _absent(scene, index)
        _measure_classify(pipeline, scene, absent, tally)
        _measure_detect(pipeline, scene, absent[0], tally)
        _measure_segment(pipeline, scene, tally)


def _measure_classify(pipeline: Pipeline, scene: Scene, absent: list[str], tally: Tally) -> None:
    image, names = Image.fromarray(scene.image), names_in(scene)
    candidates = {f"with {ABSENT_NAMES} absent ones added": [*names, *absent]}
    if len(names) > 1:
        candidates["among the names of what is there"] = names
    for what, labels in candidates.items():
        chosen = pipeline.classifier.classify(image, labels).main_object.label
        tally.add(f"CLIP: main object {what}", chosen == main_name(scene))


def _measure_detect(pipeline: Pipeline, scene: Scene, absent: str, tally: Tally) -> None:
    image = Image.fromarray(scene.image)
    found = pipeline.detector.detect(image, main_name(scene)).boxes
    iou = box_iou(found[0].box, scene.boxes()[scene.main]) if found else 0.0
    for least in (0.5, 0.75):
        tally.add(f"GroundingDINO: named main object, box IoU ≥ {least}", iou >= least)
    wrong = pipeline.detector.detect(image, absent).boxes
    for score in (0.35, 0.5):
        scored = bool(wrong) and wrong[0].score >= score
        tally.add(f"GroundingDINO: an absent name scores ≥ {score} (less is better)", scored)


def _measure_segment(pipeline: Pipeline, scene: Scene, tally: Tally) -> None:
    left, top, right, bottom = scene.boxes()[scene.main].tolist()
    mask = pipeline.segmenter.segment(Image.fromarray(scene.image), [(left, top, right, bottom)])[0]
    iou = _mask_iou(mask.pixels, scene.mask(scene.main))
    tally.add("SAM: mean mask IoU given the true box", iou)
    tally.add(f"SAM: mask IoU ≥ {GOOD_MASK} given the true box", iou >= GOOD_MASK)


def _absent(scene: Scene, index: int) -> list[str]:
    """Names of what isn't in the picture; the same ones each time."""
    rng = np.random.default_rng((SEED, 9, index))
    others = [k for k in range(len(object_classes())) if k not in scene.labels]
    return [object_classes()[k].name for k in rng.choice(others, ABSENT_NAMES, replace=False)]


def _mask_iou(mask: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    return float((mask & truth).sum() / max(1, (mask | truth).sum()))


def box_iou(first: Sequence[float], second: NDArray[np.float32]) -> float:
    """Intersection over union of two XYXY boxes."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    shared = max(0.0, float(width)) * max(0.0, float(height))
    areas = (first[2] - first[0]) * (first[3] - first[1]) + (second[2] - second[0]) * (second[3] - second[1])
    return shared / max(1e-6, float(areas) - shared)
