"""Finds the noun phrases of a parsed text that may name a picture's main object, and words them as labels."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.pipeline.tagging import NOUNS, retag
from worker.pipeline.vocabulary import Kind, Vocabulary

if TYPE_CHECKING:  # spaCy imports torch where it finds it
    from spacy.tokens import Doc, Token

# With "of" these give way to what they are of: "a herd of elephants".
CARRIERS = frozenset(
    "array assortment breed bunch cluster collection colony couple crowd dozen dozens family flock heap herd hundreds "
    "litter mass mixture pack plenty pride selection series species swarm team thousands variety".split()
)
# So do these; they mean the picture itself in "the picture shows" and "the left of the image", too.
DEPICTIONS = frozenset(
    "close-up closeup image photo photograph pic picture portrait selfie screenshot shot snapshot video view".split()
)
DEPICTING = frozenset("capture contain depict feature show".split())
# With "of" these make one label with what they hold: "glass of wine".
VESSELS = frozenset(
    "bag ball bar barrel basket bottle bouquet bowl box bucket can carton cone crate cup dish glass jar jug loaf mug "
    "packet pan piece pile pitcher plate pot roll scoop sheet slice spoon stack stick tray tube vase".split()
)
SEEN = {Kind.THING, Kind.SCENERY, Kind.BODY}
DEFINITE = frozenset("the this that these those".split())
INDEFINITE = frozenset("a an any".split())
DENIALS = frozenset("no not n't neither nor".split())
EXCLUSIONS = frozenset("without except excluding".split())
MERELY = frozenset("just merely only".split())  # after "not" they add to it: "not only a car"
ENDS = {"DET", "ADP", "PRON", "SCONJ", "AUX"}  # what no noun phrase has between its modifiers
MOST_MODIFIERS = 6  # words before a head that are looked at
LONGEST_TERM = 3  # words, as in the vocabulary
LONGEST_ROW = 50  # nouns that "and" and "or" tie together
# What may be an English noun that WordNet doesn't know: three characters or more, with a Latin letter first.
UNKNOWN_NOUN = re.compile(r"[a-z][a-z0-9'\u2019+-]{2,30}")


@dataclass(frozen=True)
class Candidate:
    """A label, what its head names, and whether the text points with it at something known ("the bus")."""

    label: str
    kind: Kind
    is_definite: bool


class PhraseReader:
    """Reads candidates from spaCy's tags, dependencies and lemmas. Stateless: threads may share it."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary

    def candidates(self, doc: "Doc") -> Iterator[Candidate]:
        """Everything that the text names and that can be seen, in order of mention, repetitions included."""
        retag(doc, self._vocabulary)
        held: set[int] = set()
        for token in doc:
            noun, content = self._vocabulary.singular(token.lower_), of_what(token)
            if token.i in held or not is_head(token) or is_denied(token) or self._is_unseen_owner(token):
                continue
            if (content and noun in CARRIERS | DEPICTIONS) or (noun in DEPICTIONS and is_picture_itself(token)):
                continue
            label, kind = self._label(token, noun)
            if content and noun in VESSELS and (inside := self._inside(content)):
                held.add(content.i)
                label, kind = f"{label} of {inside}", Kind.THING
            if kind in SEEN:
                yield Candidate(label, kind, is_definite=any(word.lower_ in DEFINITE for word in token.lefts))

    def _inside(self, content: "Token") -> str | None:
        """What a vessel holds, in the number that the text has it in, if it can be seen."""
        _, kind = self._label(content, self._vocabulary.singular(content.lower_))
        return self._label(content, content.lower_)[0] if kind in SEEN else None

    def _label(self, head: "Token", noun: str) -> tuple[str, Kind]:
        """The head, worded as `noun`, with those of its modifiers that tell how it looks or what kind it is."""
        before = modifiers(head)
        words = [word.lower_ for word in before]
        for size in range(min(LONGEST_TERM - 1, len(before)), 0, -1):
            term = " ".join([*words[-size:], noun])
            if self._vocabulary.is_physical(term):  # "hot dog", "traffic light"
                return " ".join([*self._telling(before[:-size]), term]), self._vocabulary.kind(term)
        is_set = noun == "set" and bool(before) and before[-1].pos_ in NOUNS  # "tea set"; not "a set of keys"
        kind = Kind.THING if is_set else self._kind(head, noun)
        return " ".join(dict.fromkeys([*self._telling(before), noun])), kind

    def _kind(self, head: "Token", noun: str) -> Kind:
        """What the noun names. An unknown one is a thing, unless it looks like a name or like no English."""
        kind = self._vocabulary.kind(noun)
        if kind is not Kind.UNKNOWN:
            return kind
        return Kind.ABSTRACT if head.is_stop or is_name(head) or not UNKNOWN_NOUN.fullmatch(noun) else Kind.THING

    def _telling(self, before: list["Token"]) -> list[str]:
        """The words of a run of modifiers that stay: visual ones, and nouns with nothing dropped after them."""
        kept: list[str] = []
        is_unbroken = True
        for word in reversed(before):
            is_kind = is_unbroken and word.pos_ in NOUNS and self._is_english_noun(word.lower_)
            is_visual = self._vocabulary.is_visual(word.lower_) or self._vocabulary.is_visual(word.lemma_)
            is_term = is_unbroken and bool(kept) and self._vocabulary.is_physical(f"{word.lower_} {kept[-1]}")
            if is_kind or is_visual or is_term or (word.lower_ == "and" and kept):
                kept.append(word.lower_)
            else:
                is_unbroken = False
        while kept and kept[-1] == "and":  # what it joined is gone
            kept.pop()
        return kept[::-1]

    def _is_english_noun(self, word: str) -> bool:
        kind = self._vocabulary.kind(word)
        return bool(UNKNOWN_NOUN.fullmatch(word)) if kind is Kind.UNKNOWN else kind is not Kind.NO_NOUN

    def _is_unseen_owner(self, token: "Token") -> bool:
        """Whether it only says whose or what for: "a kid's bicycle", "my brother's car"; not "the girl's hat"."""
        if token.dep_ != "poss":
            return False
        is_part = self._vocabulary.kind(self._vocabulary.singular(token.head.lower_)) is Kind.BODY
        return not is_part and not any(word.lower_ in DEFINITE for word in token.lefts)


def is_name(head: "Token") -> bool:
    """Whether it looks like somebody's name: with a capital, and with no word before it but other names."""
    has_capital = head.pos_ == "PROPN" and head.text[0].isupper()
    is_told_of = head.i > 0 and head.nbor(-1).pos_ in {"DET", "ADJ", "NUM"}  # "the Porsche 911"
    return has_capital and not is_told_of and all(word.pos_ == "PROPN" for word in head.lefts)


def is_head(token: "Token") -> bool:
    """Whether it's a noun that is no modifier of another one further on in the same phrase."""
    if token.pos_ not in NOUNS or token.i + 1 == len(token.doc):
        return token.pos_ in NOUNS
    after = token.nbor(1)
    is_before_noun = (
        token.dep_ in {"compound", "nmod", "nummod", "amod"} and token.i < token.head.i and token.head.pos_ in NOUNS
    )
    is_before_retagged = after.pos_ in NOUNS and not after.tag_.startswith("N")  # the parser hasn't tied those two
    return not is_before_retagged and not (is_before_noun and after.text != ",")


def is_denied(head: "Token") -> bool:
    """Whether the text says that it isn't there: "no cat", "without a hat or gloves"; not "no cat, but a dog"."""
    first = first_of_its_row(head)
    before = first.head
    if before.lower_ in EXCLUSIONS:
        return before.head.lower_ != "nothing"  # "nothing except a chair"
    start = first.left_edge.i
    said = [*first.lefts, *first.doc[max(0, start - 1) : start]]  # "a cat (not a dog)" ties "not" to the cat
    return any(map(is_denial, said)) or is_of_denied_verb(first)


def first_of_its_row(head: "Token") -> "Token":
    """The first noun of those that "and" and "or" tie together, whose denial is that of all; "but" begins anew.

    No further back than anyone writes: a hostile text ties a thousand.
    """
    for _ in range(LONGEST_ROW):
        before = head.head
        if head.dep_ != "conj" or before.pos_ not in NOUNS or any(word.lower_ == "but" for word in before.children):
            break
        head = before
    return head


def is_denial(word: "Token") -> bool:
    """Whether it says that what follows isn't there; not in "not only a car"."""
    return word.lower_ in DENIALS and word.nbor(1).lower_ not in MERELY


def is_of_denied_verb(head: "Token") -> bool:
    """Whether it isn't done to any such thing: "isn't wearing a hat"; "I don't know this bird" shows one, though."""
    is_any = any(word.lower_ in INDEFINITE for word in head.lefts)
    return head.dep_ in {"attr", "dobj"} and is_any and any(map(is_denial, head.head.children))


def modifiers(head: "Token") -> list["Token"]:
    """The words of the head's phrase before it, without its determiner, its owner ("the girl's") and commas."""
    words: list[Token] = []
    # What was taken for the last noun of the phrase, and isn't one, governs the words before it.
    governor = head.head if head.dep_ == "compound" and head.head.pos_ == "VERB" else head
    for word in reversed(head.doc[max(0, head.i - MOST_MODIFIERS) : head.i]):
        is_outside = word.i < governor.left_edge.i and head.tag_.startswith("N")
        if is_outside or word.pos_ in ENDS or word.dep_ == "case" or is_head(word):
            break
        words.append(word)
    return [word for word in reversed(words) if word.text != ","]


def of_what(head: "Token") -> "Token | None":
    """The noun that an "of" after the head leads to."""
    objects = (noun for word in head.rights if word.lower_ == "of" for noun in word.rights)
    return next((noun for noun in objects if noun.dep_ == "pobj" and noun.pos_ in NOUNS), None)


def is_picture_itself(head: "Token") -> bool:
    """Whether "picture" means the one described: "the picture", "a picture that shows"."""
    is_shower = head.dep_ == "nsubj" and head.head.lemma_ in DEPICTING
    is_pointed_at = any(word.lower_ in DEFINITE for word in head.lefts)
    return is_shower or is_pointed_at or any(word.lemma_ in DEPICTING for word in head.rights)
