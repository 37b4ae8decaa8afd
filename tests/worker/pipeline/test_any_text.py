"""What the local extractor makes of any text at all, however long and hostile: a sane list, soon."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.pipeline.labels import LabelExtractor


@given(text=st.text(max_size=300), maximum=st.integers(1, 30))
@settings(deadline=None, max_examples=150)
def test_any_text_gives_a_sane_list(extractor: LabelExtractor, text: str, maximum: int) -> None:
    """Any text at all gives at most `maximum` labels, all different, lower-case, stripped, and the same each time."""
    labels = extractor.extract(text, maximum=maximum)
    assert len(labels) <= maximum
    assert len(set(labels)) == len(labels)
    assert all(label and label == label.strip().lower() for label in labels)
    assert extractor.extract(text, maximum=maximum) == labels


WORDS = st.sampled_from(
    "a the red of and , . ' 's -- 2 my cat dogs glass photo herd hill eyes zebra grazing Max / skiing is with".split()
)


@given(words=st.lists(WORDS, max_size=30))
@settings(deadline=None, max_examples=150)
def test_any_order_of_english_words_gives_a_sane_list(extractor: LabelExtractor, words: list[str]) -> None:
    """English words with no grammar break none of the rules either, and a label never begins with a determiner."""
    labels = extractor.extract(" ".join(words))
    assert len(set(labels)) == len(labels) <= 20
    assert not any(label.split()[0] in {"a", "the", "my", "of", "and", "is", "with"} for label in labels)


def test_maximum_keeps_the_first(extractor: LabelExtractor) -> None:
    """Of more names than `maximum`, those mentioned first are given; 20 is the default."""
    nouns = "cat dog cow pig hen duck goat horse mule camel zebra lion tiger bear wolf fox deer moose seal owl".split()
    assert extractor.extract(", ".join(nouns), maximum=3) == ["cat", "dog", "cow"]
    assert extractor.extract(", ".join(nouns)) == nouns[:20]


def test_maximum_less_than_one_is_refused(extractor: LabelExtractor) -> None:
    """A list that could hold nothing is a caller's mistake."""
    with pytest.raises(ValueError, match="maximum"):
        extractor.extract("a cat", maximum=0)


@pytest.mark.parametrize(
    "unit",
    [
        *("cat, ", "a,", "(", "'", "<", "x", "the ", "glass of ", "red ", "🐶", "猫", "the cat's "),
        *("a cat and ", "ox & ", "no cat or ", "dogs and cats, ", "the cat of ", "a cat but ", "not a cat and "),
    ],
)
def test_long_hostile_text_is_quick(extractor: LabelExtractor, unit: str) -> None:
    """Ten thousand characters of anything cost seconds of computing, where a quadratic step would take minutes."""
    started = time.thread_time()
    extractor.extract((unit * 10_000)[:10_000])
    assert time.thread_time() - started < 10
