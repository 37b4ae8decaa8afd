"""The chosen candidate must also be found."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from PIL import Image

from db.states import OnMissing
from worker.pipeline.calibration import BoxRule
from worker.pipeline.results import Candidate, DetectedBox, Detection, Query
from worker.pipeline.search import Wish, search

IMAGE = Image.new("RGB", (8, 8))
RANKED = [Candidate("cat", 0.6, fit=0.5), Candidate("dog", 0.3, fit=0.001), Candidate("bus", 0.1, fit=1e-6)]
NEXT = Wish(on_missing=OnMissing.NEXT)


RUNGS = (0.5, 0.25)


@dataclass
class Scores:
    """A detector with three boxes for each label that it knows, of this score."""

    scores: dict[str, float]
    box_rule: BoxRule | None = None
    calls: list[list[str]] = field(default_factory=list)

    def ladder(self, fit: float | None) -> tuple[float, ...]:
        return RUNGS if fit is None or self.box_rule is None else self.box_rule.ladder(fit, RUNGS)

    def detect_each(
        self, image: Image.Image, queries: Sequence[Query], *, every_instance: bool = False
    ) -> list[Detection]:
        self.calls.append([query.label for query in queries])
        return [self._detect(query) for query in queries]

    def _detect(self, query: Query) -> Detection:
        score = self.scores.get(query.label, 0.0)
        boxes = (DetectedBox((0.0, 0.0, 4.0, 4.0), score),) * 3 if score >= query.ladder[-1] else ()
        return Detection(query.label, boxes, query.ladder[-1], best_score=score)


@pytest.mark.parametrize(
    ("scores", "wish", "label", "calls"),
    [
        ({"cat": 0.3}, Wish(), "cat", [["cat"]]),
        ({"cat": 0.3, "dog": 0.9}, NEXT, "cat", [["cat"]]),
        ({"dog": 0.9}, Wish(), None, [["cat"]]),
        ({"dog": 0.3, "bus": 0.9}, NEXT, "dog", [["cat"], ["dog", "bus"]]),
        ({"bus": 0.3}, NEXT, "bus", [["cat"], ["dog", "bus"]]),
        ({}, NEXT, None, [["cat"], ["dog", "bus"]]),
        ({"cat": 0.3}, Wish(threshold=0.4), None, [["cat"]]),
        ({"cat": 0.2}, Wish(threshold=0.1), "cat", [["cat"]]),
    ],
)
def test_which_candidate_counts(
    scores: dict[str, float], wish: Wish, label: str | None, calls: list[list[str]]
) -> None:
    """The best one; with `next` the highest in rank that is found; the others are asked about in one go."""
    detector = Scores(scores)
    finding = search(detector, IMAGE, RANKED, wish)
    assert (finding.detection.label if finding.detection.boxes else None) == label
    assert finding.detection.boxes or finding.detection.label == "cat"
    assert detector.calls == calls


def test_doubt_raises_the_bar_for_the_box() -> None:
    """The same box score is enough for what fits the picture, and not for what doesn't; unless the caller sets it."""
    rule = BoxRule(intercept=3.0, fit=0.5, score=1.5, least=0.1, most=0.9)
    for fit, wish, found in ((0.5, Wish(), True), (1e-4, Wish(), False), (1e-4, Wish(threshold=0.3), True)):
        finding = search(Scores({"cat": 0.4}, rule), IMAGE, [Candidate("cat", 1.0, fit)], wish)
        assert bool(finding.detection.boxes) is found


def test_a_rule_is_not_asked_about_fits_of_another_kind() -> None:
    """SigLIP's probabilities are no shares among all things: the detector's own thresholds count."""
    rule = BoxRule(intercept=3.0, fit=0.5, score=1.5, least=0.1, most=0.9)
    own = [Candidate("cat", 1.0, 1e-4, fit_is_share=False)]
    assert search(Scores({"cat": 0.4}, rule), IMAGE, own, Wish()).detection.boxes


def test_instances_are_capped_and_the_rest_is_told() -> None:
    """Only where all were asked for is that worth a note."""
    every = Wish(every_instance=True, maximum_instances=2)
    finding = search(Scores({"cat": 0.9}), IMAGE, RANKED, every)
    assert (len(finding.detection.boxes), finding.detection.omitted) == (2, 1)
    assert finding.notes(every) == ["Of 3 instances only the best 2 are given."]
    assert finding.notes(Wish()) == []
