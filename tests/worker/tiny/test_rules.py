"""The numbers of a calibration, fitted to labels whose presence is known."""

import numpy as np
import pytest

from worker.pipeline.calibration import BoxRule, Calibration
from worker.pipeline.choosing import choose
from worker.tiny.rules import fit_box_rule, fit_temperature, least_fit
from worker.tiny.witnesses import Asked, Choice, Labels, Presence

STYLE = "trained styles"
NAMED_ABSENT = {Presence.ABSENT, Presence.LIKELIEST_ABSENT}


def asked(presence: Presence, fit: float, box_score: float) -> Asked:
    """A label whose best box is right where there can be one."""
    return Asked(STYLE, presence, fit, box_score, is_right=presence.is_there)


@pytest.fixture(scope="module")
def many() -> Labels:
    """Labels that both witnesses tell apart, but not without error."""
    rng = np.random.default_rng(1)
    found = []
    for presence, fit, score in (
        (Presence.MAIN, -2, 1),
        (Presence.OTHER, -5, 0.5),
        (Presence.ABSENT, -6, -2),
        (Presence.LIKELIEST_ABSENT, -5, -2),
    ):
        odds = rng.normal([fit, score], 1.0, (500, 2))
        found += [asked(presence, *pair) for pair in 1 / (1 + np.exp(-odds))]
    return Labels(tuple(found))


def taken(rule: BoxRule, labels: Labels, presence: Presence) -> float:
    """The share of these labels whose box the rule takes."""
    return float(
        np.mean([each.box_score >= rule.least_score(each.fit) for each in labels.labels if each.presence is presence])
    )


@pytest.mark.parametrize("rejected", [0.7, 0.85, 0.95])
def test_as_many_absent_labels_are_refused_as_asked_for(many: Labels, rejected: float) -> None:
    """In the labels that the rule was fitted to, or a few more of the least scores; most main objects stay."""
    rule = fit_box_rule(many, rejected)
    refused = np.mean([1 - taken(rule, many, presence) for presence in NAMED_ABSENT])
    assert refused == pytest.approx(rejected, abs=0.02)
    assert taken(rule, many, Presence.MAIN) > 0.9


def test_both_witnesses_are_heard(many: Labels) -> None:
    """What fits better needs a lower box score."""
    rule = fit_box_rule(many, 0.85)
    assert rule.fit > 0
    assert rule.least_score(0.3) < rule.least_score(0.001)


def test_a_witness_that_knows_nothing_is_not_heard() -> None:
    """Where main objects fit no better than absent things, the box score decides."""
    rng = np.random.default_rng(2)
    labels = [asked(Presence.MAIN, fit, 0.8) for fit in rng.uniform(0.01, 0.99, 200)]
    labels += [asked(Presence.ABSENT, fit, score) for fit, score in rng.uniform(0.01, [0.99, 0.5], (200, 2))]
    assert fit_box_rule(Labels(tuple(labels)), 0.9).fit == pytest.approx(0, abs=0.1)


def test_labels_that_are_told_apart_without_error_give_finite_numbers() -> None:
    """Certain shares, 0 and 1, included."""
    labels = [asked(Presence.MAIN, 1.0, 1.0)] * 5 + [asked(Presence.ABSENT, 0.0, 0.0)] * 5
    rule = fit_box_rule(Labels(tuple(labels)), 0.9)
    assert np.isfinite([rule.intercept, rule.fit, rule.score]).all()


def test_the_least_fit_parts_main_objects_from_absent_ones(many: Labels) -> None:
    """It lies between their middles, and lesser objects have no say."""
    bar = least_fit(many)
    fits = {presence: np.median([e.fit for e in many.labels if e.presence is presence]) for presence in Presence}
    assert fits[Presence.LIKELIEST_ABSENT] < bar < fits[Presence.MAIN]


@pytest.mark.parametrize("overconfident", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_overconfidence(overconfident: float) -> None:
    """Choices drawn from softmaxes whose logits were then scaled: the scale is found again."""
    rng = np.random.default_rng(3)
    choices = []
    for _ in range(2000):
        logits = rng.normal(0, 2, 4)
        shares = np.exp(logits) / np.exp(logits).sum()
        true = rng.choice(4, p=shares)
        choices.append(Choice(overconfident * np.roll(logits, -true)))
    assert fit_temperature(choices) == pytest.approx(overconfident, rel=0.1)


def test_a_fitted_temperature_makes_scores_honest() -> None:
    """With it, choices of a score about 0.8 are right about that often."""
    rng = np.random.default_rng(4)
    calibration = Calibration(temperature=3.0)
    hits = []
    for _ in range(4000):
        logits = rng.normal(0, 2, 3)
        true = rng.choice(3, p=np.exp(logits) / np.exp(logits).sum())
        best = choose(["0", "1", "2"], 3 * logits, np.empty(0), calibration).main_object
        if 0.75 < best.score < 0.85:
            hits.append(int(best.label) == true)
    assert np.mean(hits) == pytest.approx(0.8, abs=0.06)
