"""English is told from other languages by its small words."""

import pytest

from worker.pipeline.labels import LabelExtractor
from worker.pipeline.language import is_foreign

OTHERS = [
    "die Katze auf dem Dach",
    "Ein Mann mit einem Hund im Park",
    "der rote Bus fährt durch die Stadt",
    "un chat noir sur le canapé",
    "une femme avec un chapeau rouge",
    "Le chien court dans le jardin",
    "el perro en la playa",
    "un gato negro duerme sobre la mesa",
    "il cane nero dorme sul divano",
    "een kat op de bank",
    "o gato preto na mesa",
    "en katt på taket",
    "UN CHAT SUR UNE CHAISE",
]
ENGLISH = [
    "a Le Creuset pot on the stove",
    "Le Creuset pot",
    "La Croix can",
    "El Camino truck",
    "a café au lait in a bowl",
    "the plaza de toros in Ronda",
    "a bust of Charles de Gaulle",
    "Leonardo da Vinci's flying machine",
    "They die in the end",
    "Dos Equis bottle",
    "cat, dog, van",
    "no dogs, no cats",
    "I am on the com port, so do not disturb",
    "x y z axes of a plot",
    "med kit",
    "i pod",
    "",
    "?!",
]


@pytest.mark.parametrize("text", OTHERS)
def test_other_languages_are_told(text: str) -> None:
    """One short sentence is enough."""
    assert is_foreign(text)


@pytest.mark.parametrize("text", ENGLISH)
def test_english_is_not_taken_for_another(text: str) -> None:
    """Names and borrowed words of other languages don't make it one."""
    assert not is_foreign(text)


def test_nothing_is_read_from_what_can_not_be_read() -> None:
    """Words of other languages, taken for English nouns, would be labels that mean nothing."""
    extractor = LabelExtractor()
    assert [extractor.extract(text) for text in OTHERS] == [[]] * len(OTHERS)
    assert extractor.extract("Le Creuset pot") != []
