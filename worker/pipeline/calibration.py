"""What was measured about models: how far to trust their scores. Numbers in one file, with their origin."""

import logging
import math
from collections.abc import Sequence
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from db.errors import CheckpointInvalid

logger = logging.getLogger(__name__)

Share = Annotated[float, Field(ge=0, le=1)]
CLOSEST = 1e-9
"""How near to 0 and 1 a share may come before its log-odds are taken."""


@dataclass(frozen=True)
class BoxRule:
    """Whether a box shows the label, from two witnesses: the detector's score, and how well the label fits at all.

    A logistic regression: the log-odds that the label is in the picture are
    `intercept + fit * log_odds(fit) + score * log_odds(box score)`. A box is taken where they reach 0.
    """

    intercept: float
    fit: Annotated[float, Field(ge=0)]
    score: Annotated[float, Field(gt=0)]
    least: Share
    """No box with a lower score is taken, however well the label fits."""
    most: Share
    """Any box with this score is taken, however badly it fits."""

    def least_score(self, fit: float) -> float:
        """The least box score that is taken for a label of this fit."""
        bar = share_of(-(self.intercept + self.fit * log_odds(fit)) / self.score)
        return min(max(bar, self.least), self.most)

    def ladder(self, fit: float, rungs: Sequence[float]) -> tuple[float, ...]:
        """The thresholds for boxes of a label of this fit, highest first; `rungs` are the detector's own."""
        least = self.least_score(fit)
        return (*(rung for rung in rungs if rung > least), least)


@dataclass(frozen=True)
class Calibration:
    """Of a classifier. Without arguments: nothing is known but what the model says itself."""

    temperature: Annotated[float, Field(gt=0)] = 1.0
    """CLIP's logits are divided by it, so that a score of 0.8 is right in 8 of 10 pictures (Guo et al., "On Calibration
    of Modern Neural Networks", 2017)."""
    ambiguous_margin: Share = 0.2
    """A choice is ambiguous when its score is less than this above the next one's."""
    others: tuple[str, ...] = ()
    """Names of things that a picture may show instead of any candidate: what candidates are compared with."""
    least_fit: Share | None = None
    """A candidate with less doesn't fit the picture, as far as CLIP can tell."""


UNCALIBRATED = Calibration()


@dataclass(frozen=True)
class Revisions:
    """Which weights, by the beginning of their SHA-256."""

    classify: str
    detect: str


@dataclass(frozen=True)
class CalibrationFile:
    """What was measured with a classifier and a detector together, and how."""

    revisions: Revisions
    calibration: Calibration
    box_rule: BoxRule
    origin: dict[str, Any] = field(default_factory=dict)
    """How the numbers were found, and how good they are: for people."""

    def of_classifier(self, revision: str) -> Calibration:
        """`UNCALIBRATED`, and a warning, where another one was measured."""
        return self.calibration if _is_the_same(revision, self.revisions.classify) else UNCALIBRATED

    def of_detector(self, revision: str) -> BoxRule | None:
        """None, and a warning, where another one was measured. The fits that it takes are the classifier's alone."""
        return self.box_rule if _is_the_same(revision, self.revisions.detect) else None


FILE = TypeAdapter(CalibrationFile)


def read_calibration(path: Path) -> CalibrationFile:
    """What the file says; raises `CheckpointInvalid` where it is missing or malformed."""
    try:
        return FILE.validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise CheckpointInvalid(path, str(error)) from error


def _is_the_same(revision: str, measured: str) -> bool:
    if revision != measured:
        logger.warning("revision %s was calibrated, not %s: its scores are taken as they are", measured, revision)
    return revision == measured


def log_odds(share: float) -> float:
    """The logarithm of share : (1 - share), finite also for 0 and 1."""
    share = min(max(share, CLOSEST), 1 - CLOSEST)
    return math.log(share / (1 - share))


def share_of(odds: float) -> float:
    """The share of these log-odds."""
    return 1 / (1 + math.exp(-min(max(odds, -700.0), 700.0)))
