"""Who names the candidates: the caller, the language model, or the local extractor."""

import httpx

from db.states import CandidateSource
from tests.worker.candidates.language_model import TEXT, Model, completion
from worker.candidates.nominator import MAXIMUM_CANDIDATES, Nominator


class LocalExtractor:
    """Finds a cat in anything but an empty text."""

    def extract(self, description: str, *, maximum: int = MAXIMUM_CANDIDATES) -> list[str]:
        return ["cat"] if description else []


def test_where_the_endpoint_fails_the_local_extractor_reads() -> None:
    """The job goes on, and says who named its candidates and why."""
    nominations = Nominator(LocalExtractor(), Model(httpx.Response(401)).endpoint()).nominate(None, TEXT)
    assert (nominations.labels, nominations.source) == (["cat"], CandidateSource.LOCAL)
    assert nominations.notes == [
        "The language model did not name the candidates, the local extractor did: it answers with status 401."
    ]


def test_where_the_endpoint_names_nothing_the_local_extractor_reads_too() -> None:
    """Two must see nothing before a job fails for want of candidates."""
    nominations = Nominator(LocalExtractor(), Model(completion()).endpoint()).nominate(None, TEXT)
    assert (nominations.labels, nominations.source, nominations.notes) == (["cat"], CandidateSource.LOCAL, [])


def test_the_caller_s_labels_are_not_sent_anywhere() -> None:
    """There is nothing to name."""
    model = Model(completion())
    nominations = Nominator(LocalExtractor(), model.endpoint()).nominate(["dog", "Dog"], None)
    assert (nominations.labels, nominations.source) == (["dog"], CandidateSource.LABELS)
    assert model.requests == []


def test_no_more_candidates_than_twenty_come_of_a_description() -> None:
    """However many a model names."""
    words = [f"thing{number}" for number in range(50)]
    model = Model(completion(*((word, word) for word in words)))
    assert Nominator(LocalExtractor(), model.endpoint()).nominate(None, " ".join(words)).labels == words[:20]
