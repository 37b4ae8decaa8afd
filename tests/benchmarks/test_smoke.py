"""The benchmarks run; what their numbers are here says nothing."""

import json
from pathlib import Path

import pytest

from tests.benchmarks import __main__ as benchmarks
from tests.benchmarks.figures import Figure, Goal, chart, document


@pytest.mark.parametrize("name", benchmarks.BENCHMARKS)
@pytest.mark.slow
def test_a_benchmark_runs(name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """To its end, and prints a table with a goal."""
    monkeypatch.setattr("sys.argv", ["benchmarks", "--smoke", name])
    assert benchmarks.main() == 0
    assert "reached" in capsys.readouterr().out


def test_a_benchmark_that_there_is_not_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With those that there are."""
    monkeypatch.setattr("sys.argv", ["benchmarks", "sped"])
    with pytest.raises(SystemExit, match="2"):
        benchmarks.main()


@pytest.mark.parametrize(
    ("value", "goal", "is_reached"),
    [
        (2.6, Goal(2.5, 4), True),
        (2.4, Goal(2.5, 4), False),
        (25, Goal(30, more_is_better=False), True),
        (31, Goal(30, more_is_better=False), False),
    ],
)
def test_a_goal_is_reached_or_not(value: float, goal: Goal, is_reached: bool) -> None:
    """Whether more or less is better."""
    assert Figure("speed", value, "x", goal).is_reached is is_reached


def test_figures_outlive_their_json_and_are_drawn(tmp_path: Path) -> None:
    """What was measured on another day stays in the chart."""
    figures = [Figure("a < b", 3.0, "x", Goal(1.5)), Figure("idle", 0.0, "%", Goal(5, more_is_better=False))]
    saved = json.loads(json.dumps(document(figures, {"cores": 2})))
    assert [Figure.read(each) for each in saved["figures"]] == figures
    drawn = chart(figures)
    assert "a &lt; b" in drawn
    assert "3x" in drawn
