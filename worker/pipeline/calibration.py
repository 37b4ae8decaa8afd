"""What was measured about a profile's models: how far to trust their scores. Numbers in one file, with their origin."""

import logging
import math
from collections.abc import Mapping, Sequence
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


@dataclass(frozen=True)
class Calibration:
    """Without arguments: nothing is known but what the models say themselves."""

    temperature: Annotated[float, Field(gt=0)] = 1.0
    """CLIP's logits are divided by it, so that a score of 0.8 is right in 8 of 10 pictures (Guo et al., "On Calibration
    of Modern Neural Networks", 2017)."""
    ambiguous_margin: Share = 0.2
    """A choice is ambiguous when its score is less than this above the next one's."""
    others: tuple[str, ...] = ()
    """Names of things that a picture may show instead of any candidate: what candidates are compared with."""
    least_fit: Share | None = None
    """A candidate with less doesn't fit the picture, as far as CLIP can tell."""
    box_rule: BoxRule | None = None

    def ladder(self, fit: float | None, rungs: Sequence[float]) -> tuple[float, ...]:
        """The thresholds for boxes of a label of this fit, highest first; `rungs` are the detector's own."""
        if fit is None or self.box_rule is None:
            return tuple(rungs)
        least = self.box_rule.least_score(fit)
        return (*(rung for rung in rungs if rung > least), least)


@dataclass(frozen=True)
class CalibrationFile:
    """A calibration, whose it is, and how it was found."""

    calibration: Calibration
    revisions: dict[str, str]
    """Of the models that it was measured with, by stage."""
    origin: dict[str, Any]
    """How it was found, and how good it is: for people."""


FILE = TypeAdapter(CalibrationFile)
UNCALIBRATED = Calibration()


def read_calibration(path: Path, revisions: Mapping[str, str]) -> Calibration:
    """The calibration of these models; `UNCALIBRATED`, and a warning, where it was measured with other ones.

    Raises `CheckpointInvalid` where the file is missing or malformed.
    """
    try:
        found = FILE.validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise CheckpointInvalid(path, str(error)) from error
    if found.revisions != dict(revisions):
        logger.warning("%s was measured with other models: doubts about candidates are not told", path)
        return UNCALIBRATED
    return found.calibration


def log_odds(share: float) -> float:
    """The logarithm of share : (1 - share), finite also for 0 and 1."""
    share = min(max(share, CLOSEST), 1 - CLOSEST)
    return math.log(share / (1 - share))


def share_of(odds: float) -> float:
    """The share of these log-odds."""
    return 1 / (1 + math.exp(-min(max(odds, -700.0), 700.0)))
