"""From the ranked candidates to the one whose boxes are cut out: what is chosen must also be found."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from PIL import Image

from db.states import OnMissing
from worker.pipeline.results import Candidate, Detection, Query


class Finder(Protocol):
    """Stage 2's model: `worker.pipeline.detect.Detector`, or another one."""

    def ladder(self, fit: float | None) -> tuple[float, ...]:
        """Its thresholds of box scores for a label that fits the picture so well, highest first."""
        ...

    def detect_each(
        self, image: Image.Image, queries: Sequence[Query], *, every_instance: bool = False
    ) -> list[Detection]:
        """One detection for each query, in their order."""
        ...


@dataclass(frozen=True)
class Wish:
    """What a caller asks of the search."""

    every_instance: bool = False
    maximum_instances: int = 100
    threshold: float | None = None
    """The least box score to take, instead of the models' own thresholds."""
    on_missing: OnMissing = OnMissing.NOT_FOUND


@dataclass(frozen=True)
class Finding:
    """The detection that counts, and all that were made, in the order of the candidates."""

    detection: Detection
    searched: tuple[Detection, ...]

    def summary(self) -> list[dict[str, Any]]:
        """What was looked for, for the job's record: the fields of `db.explanations.Searched`."""
        return [
            {
                "label": each.label,
                "best_score": each.best_score,
                "threshold": each.threshold,
                "found": bool(each.boxes),
                "is_legible": each.is_legible,
            }
            for each in self.searched
        ]

    def notes(self, wish: Wish) -> list[str]:
        """What the caller should know of the search besides its result."""
        cut = [f"The detector reads only the beginning of “{each.label}”." for each in self.searched if each.is_cut]
        taken, omitted = len(self.detection.boxes), self.detection.omitted
        if wish.every_instance and omitted:
            cut.append(f"Of {taken + omitted} instances only the best {taken} are given.")
        return cut


def search(finder: Finder, image: Image.Image, candidates: Sequence[Candidate], wish: Wish) -> Finding:
    """Look for the first candidate, the best, and, where the caller wants it, for the others if it isn't there.

    The best one is looked for alone, the others together, so that however many there are, they cost little more than
    one. Of those that are found the one that ranks highest counts; where none is, the best candidate's detection.
    """

    def look_for(wanted: Sequence[Candidate]) -> list[Detection]:
        queries = [
            Query(each.label, _ladder(finder, each) if wish.threshold is None else (wish.threshold,)) for each in wanted
        ]
        found = finder.detect_each(image, queries, every_instance=wish.every_instance)
        return [_capped(detection, wish.maximum_instances) for detection in found]

    best, *rest = candidates
    searched = look_for([best])
    if not searched[0].boxes and rest and wish.on_missing is OnMissing.NEXT:
        searched += look_for(rest)
    counts = next((detection for detection in searched if detection.boxes), searched[0])
    return Finding(counts, tuple(searched))


def _ladder(finder: Finder, candidate: Candidate) -> tuple[float, ...]:
    return finder.ladder(candidate.fit if candidate.fit_is_share else None)


def _capped(detection: Detection, maximum: int) -> Detection:
    extra = max(0, len(detection.boxes) - maximum)
    return replace(detection, boxes=detection.boxes[:maximum], omitted=detection.omitted + extra)
