"""The line that tells people how an answer came about."""

import pytest

from db.explanations import Ranked, Searched, Story, explain
from db.states import CandidateSource, Outcome

SNOWBOARD, MAN = Ranked("snowboard", 0.8), Ranked("man", 0.2)
FOUND = Searched("snowboard", 0.61, 0.25, found=True)
MISSING = Searched("snowboard", 0.12, 0.25, found=False)
LABELS, LOCAL = CandidateSource.LABELS, CandidateSource.LOCAL


def story(ranking: list[Ranked], searched: list[Searched], **values: object) -> Story:
    """A story that ends with what was searched."""
    outcome = Outcome.FOUND if any(each.found for each in searched) else Outcome.NOT_FOUND
    facts = {"source": LABELS, "ambiguous": False, "none_fits": False, **values}
    return Story(outcome=outcome, ranking=ranking, searched=searched, **facts)  # type: ignore[arg-type] # of any type


@pytest.mark.parametrize(
    ("told", "line"),
    [
        (story([SNOWBOARD], [FOUND]), "“snowboard” was found (box score 0.61)."),
        (
            story([SNOWBOARD], [FOUND], source=LOCAL),
            "The description names “snowboard” only. “snowboard” was found (box score 0.61).",
        ),
        (
            story([SNOWBOARD, MAN], [FOUND]),
            "Of 2 candidates “snowboard” suits the picture best (score 0.80). “snowboard” was found (box score 0.61).",
        ),
        (
            story([Ranked("a", 0.52), Ranked("b", 0.48)], [Searched("a", 0.9, 0.5, found=True)], ambiguous=True),
            "Of 2 candidates “a” suits the picture best (score 0.52). “a” was found (box score 0.90). "
            "It was a close call: “b” has 0.48.",
        ),
        (
            story([SNOWBOARD], [MISSING]),
            "“snowboard” was not found: its best box has a score of 0.12, and 0.25 is needed.",
        ),
        (
            story([SNOWBOARD], [MISSING], none_fits=True),
            "The picture seems to show something else than “snowboard”. "
            "“snowboard” was not found: its best box has a score of 0.12, and 0.25 is needed.",
        ),
        (
            story([SNOWBOARD, MAN], [MISSING, Searched("man", 0.1, 0.4, found=False)], none_fits=True, ambiguous=True),
            "None of the 2 candidates seems to be in the picture; “snowboard” is the likeliest. “snowboard” was not "
            "found: its best box has a score of 0.12, and 0.25 is needed. Nor was the other candidate.",
        ),
        (
            story([SNOWBOARD, MAN], [MISSING, Searched("man", 0.7, 0.25, found=True)]),
            "Of 2 candidates “snowboard” suits the picture best (score 0.80). “snowboard” was not found: its best box "
            "has a score of 0.12, and 0.25 is needed. Next in line, “man” was found (box score 0.70).",
        ),
        (
            story([Ranked("猫", 1.0)], [Searched("猫", 0.0, 0.25, found=False, is_legible=False)]),
            "“猫” can't be looked for: the detector knows none of its words.",
        ),
        (story([SNOWBOARD], []), "It was not found."),
    ],
)
def test_says_what_happened(told: Story, line: str) -> None:
    """One line for each way a job can go."""
    assert explain(told) == line
