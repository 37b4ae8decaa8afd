"""What candidates a caller's labels make: as they were worded, each meaning once, and none that names nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.candidates.nominator import distinct

LABEL_SETS: list[tuple[list[str], list[str]]] = [
    # Plain
    (["man", "snowboard"], ["man", "snowboard"]),
    (["cat"], ["cat"]),
    (["dog", "cat", "van", "bus", "tree"], ["dog", "cat", "van", "bus", "tree"]),
    (["red double-decker bus", "traffic light"], ["red double-decker bus", "traffic light"]),
    (["zebra", "apple", "Mango"], ["zebra", "apple", "Mango"]),
    # The same twice
    (["cat", "cat"], ["cat"]),
    (["Cat", "cat", "CAT"], ["Cat"]),
    (["cat", " cat "], ["cat"]),
    (["teddy  bear", "teddy bear"], ["teddy  bear"]),
    (["teddy\tbear", "teddy bear"], ["teddy\tbear"]),
    (["cat.", "cat"], ["cat."]),
    (["cat", "cat?"], ["cat"]),
    (['"cat"', "cat"], ['"cat"']),
    (["(cat)", "cat!"], ["(cat)"]),
    (["a cat", "cat"], ["a cat"]),
    (["an owl", "the owl", "owl"], ["an owl"]),
    (["The Cat", "a cat"], ["The Cat"]),
    (["straße", "STRASSE"], ["straße"]),
    (["ｃａｔ", "cat"], ["ｃａｔ"]),  # noqa: RUF001 - full width, as Japanese keyboards write it
    (["cafe\u0301", "caf\u00e9"], ["cafe\u0301"]),
    (["c\u200bat", "cat"], ["c\u200bat"]),
    (["dog", "cat", "dog", "cat", "cow"], ["dog", "cat", "cow"]),
    (["dog\u2019s bowl", "dog's bowl"], ["dog\u2019s bowl"]),
    (["e-bike", "e\u2011bike", "e\u2013bike"], ["e-bike"]),
    (["jack o' lantern", "jack o\u2019lantern"], ["jack o' lantern", "jack o\u2019lantern"]),
    (["\u201ccat\u201d", "_cat_", "*cat*", "#cat", "cat,", "¿cat?"], ["\u201ccat\u201d"]),
    (["\ufb01sh", "fish"], ["\ufb01sh"]),
    (["cat\u00a0food", "cat food"], ["cat\u00a0food"]),
    (["קרש", "קרש\u200e", "\u200fקרש"], ["קרש"]),
    (["the", "The "], ["the"]),
    (["cat"] * 200, ["cat"]),
    # Alike, but not the same
    (["cat", "cats"], ["cat", "cats"]),
    (["bus", "red bus"], ["bus", "red bus"]),
    (["snowboard", "snow board"], ["snowboard", "snow board"]),
    (["e-scooter", "scooter"], ["e-scooter", "scooter"]),
    (["hot dog", "dog"], ["hot dog", "dog"]),
    (["left shoe", "right shoe"], ["left shoe", "right shoe"]),
    (["boy's bike", "boys bike"], ["boy's bike", "boys bike"]),
    (["7up can", "up can"], ["7up can", "up can"]),
    (["A380", "380"], ["A380", "380"]),
    (["resume", "résumé"], ["resume", "résumé"]),
    (["cat", "dog (cat)"], ["cat", "dog (cat)"]),
    (["C++ book", "C book"], ["C++ book", "C book"]),
    (["vitamin a", "vitamin"], ["vitamin a", "vitamin"]),
    (["null", "None", "0", "00"], ["null", "None", "0", "00"]),
    (["🍎", "🍏"], ["🍎", "🍏"]),
    (["cat", "c\u0430t"], ["cat", "c\u0430t"]),  # the second one's "a" is Cyrillic
    # Punctuation inside
    (["St. Bernard", "Yorkshire terrier"], ["St. Bernard", "Yorkshire terrier"]),
    (["what is this? a cat", "dog"], ["what is this? a cat", "dog"]),
    (["salt & pepper", "salt/pepper"], ["salt & pepper", "salt/pepper"]),
    (["1/2 lemon", "12 lemons"], ["1/2 lemon", "12 lemons"]),
    (["dog, cat", "dog"], ["dog, cat", "dog"]),
    # Other scripts
    (["猫", "犬"], ["猫", "犬"]),
    (["кошка", "Кошка"], ["кошка"]),
    (["γάτα", "σκύλος"], ["γάτα", "σκύλος"]),
    (["قطة", "كلب"], ["قطة", "كلب"]),
    (["🐶", "dog"], ["🐶", "dog"]),
    # What names nothing
    (["...", "cat"], ["cat"]),
    (["?", "!", "."], []),
    (["\u200b", "cat", ""], ["cat"]),
    (["-", "—", "cat"], ["cat"]),
    (["a", "the", "cat"], ["a", "the", "cat"]),  # one letter may be what the picture shows
    (["[SEP]", "<|endoftext|>", "cat"], ["[SEP]", "<|endoftext|>", "cat"]),
]


@pytest.mark.parametrize(("labels", "candidates"), LABEL_SETS, ids=[", ".join(labels) for labels, _ in LABEL_SETS])
def test_label_sets(labels: list[str], candidates: list[str]) -> None:
    """Those that mean the same to any reader are one candidate; it keeps its first wording."""
    assert distinct(labels) == candidates


@given(labels=st.lists(st.text(max_size=20), max_size=20))
def test_any_labels_give_a_part_of_them_in_their_order(labels: list[str]) -> None:
    """Nothing is added or reworded, and a second look changes nothing."""
    found = distinct(labels)
    assert found == distinct(found)
    remaining = iter(labels)
    assert all(label in remaining for label in found)
