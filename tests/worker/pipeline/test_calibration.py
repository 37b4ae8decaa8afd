"""How far the models' scores are trusted, and what follows for choices and boxes."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.catalog import TINY_LADDER
from db.errors import AnswerNotFinite, CheckpointInvalid
from worker.pipeline.calibration import UNCALIBRATED, BoxRule, Calibration, log_odds, read_calibration, share_of
from worker.pipeline.checkpoints import CALIBRATION
from worker.pipeline.choosing import choose
from worker.pipeline.pipeline import Pipeline

RULE = BoxRule(intercept=3.0, fit=0.3, score=1.5, least=0.1, most=0.9)
MEASURED = {"revisions": {"classify": "1", "detect": "2"}, "box_rule": dataclasses.asdict(RULE)}
RUNGS = (0.5, 0.35, 0.25)
OTHERS = ("dog", "car", "tree")
SHARES = st.floats(0, 1)


def test_the_bundled_calibration_is_of_the_bundled_weights(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever changes the weights must calibrate again: python -m worker.tiny.calibrate."""
    found = read_calibration(CALIBRATION)
    assert found.of_classifier(pipeline.cards["classify"].revision) == found.calibration
    assert found.of_detector(pipeline.cards["detect"].revision) == found.box_rule
    assert found.calibration.least_fit is not None
    assert len(found.calibration.others) > 100
    assert not caplog.records


def test_a_calibration_of_other_weights_is_not_used(caplog: pytest.LogCaptureFixture) -> None:
    """Its numbers would be wrong without a sign of it; the log tells."""
    found = read_calibration(CALIBRATION)
    assert found.of_classifier("1") == UNCALIBRATED
    assert found.of_detector("2") is None
    assert len(caplog.records) == 2


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", json.dumps({**MEASURED, "calibration": {"temperature": 0}})],
    ids=["empty", "list", "nothing", "temperature 0"],
)
def test_a_malformed_calibration_is_refused(tmp_path: Path, text: str) -> None:
    """By an error of ours, which names the file."""
    path = tmp_path / "calibration.json"
    path.write_text(text)
    with pytest.raises(CheckpointInvalid, match=r"calibration\.json"):
        read_calibration(path)


def test_a_missing_calibration_is_refused(tmp_path: Path) -> None:
    """The bundled models have one."""
    with pytest.raises(CheckpointInvalid):
        read_calibration(tmp_path / "none.json")


@given(fit=SHARES, better=SHARES)
def test_the_better_a_label_fits_the_less_its_box_must_score(fit: float, better: float) -> None:
    """Within the rule's bounds, also for fits of 0 and 1."""
    low, high = sorted((fit, better))
    assert RULE.most >= RULE.least_score(low) >= RULE.least_score(high) >= RULE.least


@given(fit=st.floats(0.01, 0.99))
def test_the_least_score_is_where_the_odds_are_even(fit: float) -> None:
    """The bar is the regression's own boundary."""
    free = BoxRule(intercept=3.0, fit=0.3, score=1.5, least=0.0, most=1.0)
    odds = free.intercept + free.fit * log_odds(fit) + free.score * log_odds(free.least_score(fit))
    assert odds == pytest.approx(0, abs=1e-6)


@given(share=st.floats(1e-6, 1 - 1e-6))
def test_log_odds_and_shares_are_inverse(share: float) -> None:
    """There and back again."""
    assert share_of(log_odds(share)) == pytest.approx(share)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_log_odds_of_certainty_are_finite(share: float) -> None:
    """Softmax in floating point gives 0 and 1."""
    assert math.isfinite(log_odds(share))


def test_the_ladder_s_last_rung_is_the_rule_s() -> None:
    """Higher rungs stay; lower ones would take what the rule refuses."""
    least = RULE.least_score(0.002)
    assert RUNGS[1] > least > RUNGS[2]
    assert RULE.ladder(0.002, RUNGS) == (0.5, 0.35, least)
    assert RULE.ladder(1e-9, RUNGS) == (RULE.least_score(1e-9),)


def test_without_a_calibration_the_ladder_is_the_detector_s(pipeline: Pipeline) -> None:
    """As it is where the fit isn't known."""
    bundled = pipeline.detector
    assert bundled.ladder(None) == TINY_LADDER
    assert bundled.ladder(1e-9) != TINY_LADDER


def test_a_choice_without_others_doubts_nothing() -> None:
    """There is nothing to compare the candidates with."""
    ranking = choose(["cat", "dog"], np.array([1.0, 3.0]), np.empty(0), UNCALIBRATED)
    assert [candidate.label for candidate in ranking.candidates] == ["dog", "cat"]
    assert [candidate.fit for candidate in ranking.candidates] == [None, None]
    assert ranking.none_fits is None


@pytest.mark.parametrize(("logit", "none_fits"), [(9.0, False), (-9.0, True)])
def test_a_candidate_is_compared_with_other_things(logit: float, none_fits: bool) -> None:
    """Also where it is the only one: for "cat" on a picture without a cat that is what matters."""
    calibration = Calibration(others=OTHERS, least_fit=0.1)
    ranking = choose(["cat"], np.array([logit]), np.zeros(3), calibration)
    assert (ranking.none_fits, ranking.candidates[0].score, ranking.margin) == (none_fits, 1.0, 1.0)


def test_a_candidate_is_not_compared_with_itself() -> None:
    """A label that is among the other things, too, loses nothing by it."""
    calibration = Calibration(others=OTHERS)
    (named,) = choose(["Dog"], np.array([2.0]), np.array([2.0, 0.0, 0.0]), calibration).candidates
    assert named.fit == pytest.approx(math.exp(2) / (math.exp(2) + 2))


def test_the_temperature_softens_scores_and_changes_no_order() -> None:
    """Hotter is less sure."""
    logits = np.array([1.0, 4.0, 2.0])
    cold, hot = (choose(["a", "b", "c"], logits, np.empty(0), Calibration(temperature=t)) for t in (1.0, 3.0))
    assert [one.label for one in cold.candidates] == [one.label for one in hot.candidates] == ["b", "c", "a"]
    assert hot.margin < cold.margin


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=20), st.floats(0.05, 20))
def test_any_logits_give_probabilities(logits: list[float], temperature: float) -> None:
    """They add up to 1, best first; fits are between 0 and 1."""
    labels = [f"label {number}" for number in range(len(logits))]
    calibration = Calibration(temperature=temperature, others=OTHERS, least_fit=0.1)
    ranking = choose(labels, np.array(logits), np.zeros(3), calibration)
    scores = [candidate.score for candidate in ranking.candidates]
    assert sum(scores) == pytest.approx(1)
    assert scores == sorted(scores, reverse=True)
    assert all(candidate.fit is not None and 0 <= candidate.fit <= 1 for candidate in ranking.candidates)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("others", [False, True])
def test_numbers_gone_wrong_are_no_choice(bad: float, others: bool) -> None:
    """They have no order, and no margin that would be too small: the choice would look clear."""
    logits, other_logits = ([1.0, 2.0], [0.0, bad, 1.0]) if others else ([1.0, bad], [])
    calibration = Calibration(others=OTHERS if others else ())
    with pytest.raises(AnswerNotFinite):
        choose(["cat", "bus"], np.array(logits), np.array(other_logits), calibration)
