"""How an answer came about, in one line for people; from what the stages stored, so that it is never out of date."""

from collections.abc import Sequence
from dataclasses import dataclass

from db.states import CandidateSource, Outcome


@dataclass(frozen=True)
class Ranked:
    """A candidate and its score."""

    label: str
    score: float


@dataclass(frozen=True)
class Searched:
    """A candidate that was looked for in the picture."""

    label: str
    best_score: float
    threshold: float
    found: bool
    is_legible: bool = True


@dataclass(frozen=True)
class Story:
    """What happened to a job that succeeded."""

    outcome: Outcome
    source: CandidateSource
    ranking: Sequence[Ranked]
    """One or more, the best first."""
    searched: Sequence[Searched]
    """In the order of the ranking; empty for jobs of versions that didn't note it."""
    ambiguous: bool
    none_fits: bool


def explain(story: Story) -> str:
    """A sentence or two."""
    parts = [_choice(story), _search(story)]
    if story.ambiguous and len(story.ranking) > 1 and not story.none_fits:
        parts.append(f"It was a close call: {_quoted(story.ranking[1].label)} has {story.ranking[1].score:.2f}.")
    return " ".join(part for part in parts if part)


def _choice(story: Story) -> str:
    best, count = story.ranking[0], len(story.ranking)
    if count == 1:
        told = "" if story.source is CandidateSource.LABELS else f"The description names {_quoted(best.label)} only."
        return told if not story.none_fits else f"The picture seems to show something else than {_quoted(best.label)}."
    if story.none_fits:
        return f"None of the {count} candidates seems to be in the picture; {_quoted(best.label)} is the likeliest."
    return f"Of {count} candidates {_quoted(best.label)} suits the picture best (score {best.score:.2f})."


def _search(story: Story) -> str:
    if not story.searched:
        return "It was found." if story.outcome is Outcome.FOUND else "It was not found."
    first = story.searched[0]
    found = next((each for each in story.searched if each.found), None)
    if found is None:
        return _missing(first) + _others_missing(len(story.searched) - 1)
    where = f"{_quoted(found.label)} was found (box score {found.best_score:.2f})."
    if found is first:
        return where
    return f"{_missing(first)} Next in line, {where}"


def _others_missing(count: int) -> str:
    if count < 2:
        return " Nor was the other candidate." if count else ""
    return f" Nor was any of the {count} other candidates."


def _missing(searched: Searched) -> str:
    if not searched.is_legible:
        return f"{_quoted(searched.label)} can't be looked for: the detector knows none of its words."
    needed = f"its best box has a score of {searched.best_score:.2f}, and {searched.threshold:.2f} is needed"
    return f"{_quoted(searched.label)} was not found: {needed}."


def _quoted(label: str) -> str:
    return f"“{label}”"
