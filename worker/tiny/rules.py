"""Fits a calibration's numbers to what the models said about labels whose presence is known."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar

from worker.pipeline.calibration import BoxRule, log_odds
from worker.tiny.witnesses import Choice, Labels, Presence

WEIGHTS = {Presence.MAIN: 1.0, Presence.OTHER: 0.05, Presence.ABSENT: 1.0, Presence.LIKELIEST_ABSENT: 1.0}
"""Main objects are what is asked for. To CLIP lesser ones fit no better than absent ones, and the more they weigh, the
less its word counts: at 0.3 they are found in 5 of 100 scenes more, and never-trained main objects in 2 fewer."""
LEAST_SCORE, MOST_SCORE = 0.1, 0.9
RIDGE = 1e-4
"""Keeps the numbers finite where the classes can be told apart without error."""

Floats = NDArray[np.float64]


def fit_temperature(choices: Sequence[Choice]) -> float:
    """The temperature that makes the true candidates (the first ones) likeliest: the least mean log-loss."""

    def loss(log_temperature: float) -> float:
        temperature = np.exp(log_temperature)
        scaled = [choice.logits / temperature for choice in choices]
        return float(np.mean([np.logaddexp.reduce(logits) - logits[0] for logits in scaled]))

    return float(np.exp(minimize_scalar(loss, bounds=(np.log(0.05), np.log(20)), method="bounded").x))


def least_fit(asked: Labels) -> float:
    """The fit that best parts main objects from absent ones (Youden's J), rounded to two digits."""
    main = np.sort([each.fit for each in asked.labels if each.presence is Presence.MAIN])
    absent = np.sort([each.fit for each in asked.labels if not each.presence.is_there])
    bars = np.concatenate([main, absent])
    kept = 1 - np.searchsorted(main, bars) / len(main)
    rejected = np.searchsorted(absent, bars) / len(absent)
    return float(f"{bars[np.argmax(kept + rejected)]:.2g}")


def fit_box_rule(asked: Labels, rejected: float) -> BoxRule:
    """A weighted logistic regression, moved so that it refuses this share of the absent labels' boxes."""
    evidence = np.array([[1.0, log_odds(each.fit), log_odds(each.box_score)] for each in asked.labels])
    is_there = np.array([each.presence.is_there for each in asked.labels])
    weights = np.array([WEIGHTS[each.presence] for each in asked.labels])
    weights = np.where(is_there, weights / weights[is_there].sum(), weights / weights[~is_there].sum())
    signs = np.where(is_there, 1.0, -1.0)

    def loss(rule: Floats) -> float:
        return float((weights * np.logaddexp(0, -signs * (evidence @ rule))).sum() + RIDGE * (rule**2).sum())

    found = minimize(loss, np.zeros(3), bounds=[(None, None), (0, None), (0.01, None)]).x
    bar = np.quantile((evidence @ found)[~is_there], rejected)
    return BoxRule(
        intercept=round(float(found[0] - bar), 3),
        fit=round(float(found[1]), 3),
        score=round(float(found[2]), 3),
        least=LEAST_SCORE,
        most=MOST_SCORE,
    )
