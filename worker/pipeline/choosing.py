"""What CLIP's similarities say about the candidates: which is the main object, how clearly, and whether any fits."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from db.errors import AnswerNotFinite
from worker.pipeline.calibration import Calibration
from worker.pipeline.results import Candidate, Classification

Logits = NDArray[np.float64]


def choose(labels: Sequence[str], logits: Logits, other_logits: Logits, calibration: Calibration) -> Classification:
    """Rank the candidates.

    Args:
        labels: one or more.
        logits: (n,), CLIP's scaled similarities of the picture and each label.
        other_logits: (m,), those of each of `calibration.others`; empty where there are none.
        calibration: of these models.

    Raises `AnswerNotFinite`: such numbers have no order, and would look like a clear choice.
    """
    if not np.isfinite([*logits, *other_logits]).all():
        raise AnswerNotFinite("similarities")
    logits, other_logits = logits / calibration.temperature, other_logits / calibration.temperature
    scores = _softmax(logits)
    fits = [_fit(label, logit, other_logits, calibration) for label, logit in zip(labels, logits, strict=True)]
    ranked = sorted(map(Candidate, labels, scores.tolist(), fits), key=lambda candidate: candidate.score, reverse=True)
    margin = ranked[0].score - ranked[1].score if len(ranked) > 1 else 1.0
    best_fit = ranked[0].fit
    return Classification(
        candidates=tuple(ranked),
        margin=margin,
        ambiguous=margin < calibration.ambiguous_margin,
        none_fits=None if best_fit is None or calibration.least_fit is None else best_fit < calibration.least_fit,
    )


def _fit(label: str, logit: float, other_logits: Logits, calibration: Calibration) -> float | None:
    """The share of this label against all other things; None where there are none to compare with."""
    different = [logit for name, logit in zip(calibration.others, other_logits, strict=True) if name != label.lower()]
    return float(_softmax(np.array([logit, *different]))[0]) if different else None


def _softmax(logits: Logits) -> Logits:
    powers: Logits = np.exp(logits - logits.max())
    shares: Logits = powers / powers.sum()
    return shares
