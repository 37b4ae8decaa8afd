"""What English nouns and adjectives tell about pictures: WordNet's word classes, and plurals turned to singulars."""

import gzip
import re
from enum import StrEnum
from pathlib import Path

DATA = Path(__file__).with_name("vocabulary.txt.gz")

# Nouns that the vision models, like everybody, know by their plural.
PLURAL_ONLY = frozenset(
    "airpods binoculars chopsticks clippers clothes earbuds earphones eyeglasses fries glasses goggles "
    "grapes handcuffs headphones jeans leggings overalls pajamas pants pliers pyjamas scissors shears "
    "shorts slacks spectacles stairs sunglasses suspenders tights tongs trousers tweezers".split()
)
IRREGULAR = {
    "children": "child", "feet": "foot", "geese": "goose", "lice": "louse", "men": "man", "mice": "mouse",
    "oxen": "ox", "people": "person", "teeth": "tooth", "women": "woman",
}  # fmt: skip
# Endings of plurals and what stands in the singular, the likeliest first: the first one that makes a known noun counts.
ENDINGS = [("men", "man"), ("women", "woman"), ("s", ""), ("es", ""), ("ies", "y"), ("ves", "f"), ("ves", "fe")]
SHORTEST_PLURAL = 4  # gas, bus
LACKING = re.compile("(.{3,})less")  # no "bless"


class Kind(StrEnum):
    """What a noun names, as far as a picture goes."""

    THING = "t"  # artifacts, living beings, food, natural objects
    SCENERY = "s"  # what things stand in or on: places, land, water, sky, weather, rooms, streets, loose matter
    BODY = "b"  # parts of a living being
    ABSTRACT = "a"  # nothing that can be seen, or nothing that can be told from it
    NO_NOUN = "x"  # a word of another part of speech
    UNKNOWN = "?"


class Vocabulary:
    """The lower-case words of vocabulary.txt.gz, which vocabulary_build.py makes. Read-only: threads may share it.

    Each line there is `classes lemma`. The first letter is the noun's Kind, if it is one; `v` marks a visual adjective,
    and `x` a word that is, or can be, something else than a noun.
    """

    def __init__(self) -> None:
        self._classes: dict[str, str] = {}
        for line in gzip.decompress(DATA.read_bytes()).decode().splitlines():
            classes, _, lemma = line.partition(" ")
            self._classes[lemma] = classes

    def kind(self, noun: str) -> Kind:
        """What a singular noun, of one word or several, names. Hyphens may be the writer's own: "mid-air"."""
        spellings = (noun, noun.replace("-", ""), noun.replace("-", " "))
        classes = next((self._classes[spelling] for spelling in spellings if spelling in self._classes), "?")
        return Kind.NO_NOUN if classes[0] in "vx" else Kind(classes[0])

    def is_noun_only(self, word: str) -> bool:
        """Whether the word is never an adjective, adverb or verb."""
        return not {"v", "x", "?"} & set(self._classes.get(word, "?"))

    def is_physical(self, noun: str) -> bool:
        """Whether the noun names something that can be seen."""
        return self.kind(noun) in {Kind.THING, Kind.SCENERY, Kind.BODY}

    def is_visual(self, adjective: str) -> bool:
        """Whether a look at the object alone confirms the adjective: colour, material, pattern, shape, size, state.

        So does one of a thing that isn't there: "wireless", "sleeveless". A word with hyphens is visual, too, if it
        names a thing or a body's part, or if it is unknown as a whole and has a visual part or a thing that something
        was done with: "double-decker", "three-legged", "green-striped", "snow-covered".
        """
        classes = self._classes.get(adjective, "?")
        if "v" in classes or "-" not in adjective:
            lacking = LACKING.fullmatch(adjective)
            return "v" in classes or (lacking is not None and self.kind(lacking[1]) is Kind.THING)
        *parts, last = adjective.split("-")
        has_part = last.endswith("ed") and any(self.kind(part) is Kind.BODY for part in (last[:-2], last[:-3]))
        if has_part or self.is_physical(adjective) or classes != "?":
            return has_part or self.is_physical(adjective)
        is_done_with_thing = last.endswith("ed") and self.is_physical(parts[-1])
        return is_done_with_thing or any(self.is_visual(part) for part in [*parts, last])

    def singular(self, noun: str) -> str:
        """The singular of a noun if it is a plural and its singular names something that can be seen, else the noun.

        A word that isn't known, but whose singular is, is that one's plural, too: "litres". Only the last word of a
        term with hyphens changes ("e-scooters").
        """
        start, hyphen, word = noun.rpartition("-")
        if word in PLURAL_ONLY:
            return noun
        if word in IRREGULAR:
            return start + hyphen + IRREGULAR[word]
        if len(word) < SHORTEST_PLURAL or word.endswith("ss"):
            return noun
        candidates = [word.removesuffix(old) + new for old, new in ENDINGS if word.endswith(old)]
        seen = (found for found in candidates if self.is_physical(found))
        known = (found for found in candidates if self.kind(word) is Kind.UNKNOWN and self.kind(found) is Kind.ABSTRACT)
        return start + hyphen + next(seen, next(known, word))
