"""Names a job's candidates, and says who named them."""

import logging
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from db.states import CandidateSource
from worker.candidates.problems import EndpointFailed

logger = logging.getLogger(__name__)

MAXIMUM_CANDIDATES = 20
ARTICLES = ("a ", "an ", "the ")
TYPEWRITTEN = str.maketrans("\u2018\u2019\u201c\u201d\u2010\u2013", "''\"\"--")
"""Quotes and hyphens as word processors set them, to those of a keyboard."""


class Extractor(Protocol):
    """The local reading of a description: `worker.pipeline.labels.LabelExtractor`."""

    def extract(self, description: str, *, maximum: int = MAXIMUM_CANDIDATES) -> list[str]:
        """The things that it names, in order of first mention."""
        ...


class Reader(Protocol):
    """A language model's reading of a description: `worker.candidates.endpoint.Endpoint`."""

    def read(self, description: str) -> list[str]:
        """The things that it names; raises `EndpointFailed`."""
        ...


@dataclass(frozen=True)
class Nominations:
    """The candidates, all different; empty where nothing is named."""

    labels: list[str]
    source: CandidateSource
    notes: list[str] = field(default_factory=list)
    """What the caller should know of how they came about."""
    is_makeshift: bool = False
    """Another day the language model would have named them."""


class Nominator:
    """For any number of threads, if its extractor and reader are."""

    def __init__(self, extractor: Extractor, reader: Reader | None = None) -> None:
        """Descriptions are read by `reader` where there is one, and by `extractor` where there is none or it fails."""
        self._extractor = extractor
        self._reader = reader

    def nominate(self, labels: Sequence[str] | None, description: str | None) -> Nominations:
        """The caller's labels, or what the description names."""
        if labels:
            return Nominations(distinct(labels), CandidateSource.LABELS)
        return self._read(description or "")

    def _read(self, description: str) -> Nominations:
        notes = []
        if self._reader is not None:
            try:
                if found := self._reader.read(description):
                    return Nominations(found[:MAXIMUM_CANDIDATES], CandidateSource.ENDPOINT)
            except EndpointFailed as failure:
                logger.warning("the language model did not name the candidates: %s", failure)
                notes.append(f"The language model did not name the candidates, the local extractor did: {failure}.")
        found = self._extractor.extract(description, maximum=MAXIMUM_CANDIDATES)
        return Nominations(found, CandidateSource.LOCAL, notes, is_makeshift=bool(notes))


def distinct(labels: Sequence[str]) -> list[str]:
    """The labels as they were worded, without those that name nothing or say the same as an earlier one.

    Twice the same would share one score, and make a clear choice look like a close call.
    """
    firsts: dict[str, str] = {}
    for label in labels:
        if meaning := _meaning(label):
            firsts.setdefault(meaning, label)
    return list(firsts.values())


def _meaning(label: str) -> str:
    """What counts of a label: not its case, spaces, articles, the shape of its quotes and hyphens, nor the punctuation
    around it. Empty: it names nothing."""
    text = unicodedata.normalize("NFKC", label).casefold().translate(TYPEWRITTEN)
    text = "".join(character for character in text if unicodedata.category(character) != "Cf")
    words = " ".join(text.split())
    article = next((article for article in ARTICLES if words.startswith(article)), "")
    is_named = [character.isalnum() or unicodedata.category(character) == "So" for character in words]
    if not any(is_named):
        return ""
    first, last = is_named.index(True), len(words) - is_named[::-1].index(True)
    return words[max(first, len(article)) : last] or words
