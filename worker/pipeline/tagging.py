"""Puts right, with the vocabulary's help, what spaCy gets wrong about the nouns in descriptions of pictures."""

from typing import TYPE_CHECKING

from worker.pipeline.vocabulary import Kind, Vocabulary

if TYPE_CHECKING:  # spaCy imports torch where it finds it
    from spacy.tokens import Doc, Token

NOUNS = {"NOUN", "PROPN"}
OPENERS = {"DET", "NUM"}
BARE = {"VB", "VBP"}  # spaCy's tags of verbs without an ending
INNER = {"ADJ", "ADV", "VERB"}  # what may stand between a determiner and its noun


def retag(doc: "Doc", vocabulary: Vocabulary) -> None:
    """Change `pos_` and `dep_` of the doc's tokens where a rule below says so."""
    for token in doc:
        token.pos_ = true_class(token, vocabulary)
    for token in doc:
        if is_start_of_term(token, vocabulary):
            token.dep_ = "compound"
        if token.pos_ in OPENERS and (noun := missing_noun(token, vocabulary)):
            noun.pos_ = "NOUN"


def true_class(token: "Token", vocabulary: Vocabulary) -> str:
    """The token's word class, as its form and the word before it tell."""
    if token.pos_ == "PRON" and "-" in token.text:  # "black-and-white"
        return "ADJ"
    if token.pos_ in NOUNS and is_never_noun(token, vocabulary):
        return "X"
    if is_always_noun(token, vocabulary) or is_other_noun(token, vocabulary):
        return "NOUN"
    return class_after(token.nbor(-1), token, vocabulary) if token.i else token.pos_


def class_after(before: "Token", token: "Token", vocabulary: Vocabulary) -> str:
    """The token's word class, as the word before it tells."""
    if is_end_of_term(before, token, vocabulary):
        return "NOUN"
    acts = (is_doing, is_done_by_one, is_done_by_several)
    if is_thing(before, vocabulary) and any(is_act(before, token, vocabulary) for is_act in acts):
        return "VERB"
    return "X" if is_thing(before, vocabulary) and is_its_name(before, token, vocabulary) else token.pos_


def is_thing(token: "Token", vocabulary: Vocabulary) -> bool:
    """Whether it's a noun for something that can be seen."""
    return token.pos_ in NOUNS and vocabulary.is_physical(vocabulary.singular(token.lower_))


def is_never_noun(token: "Token", vocabulary: Vocabulary) -> bool:
    """Whether a noun can't be one: "1960s", a single letter, "the" where there is no grammar."""
    is_function_word = token.is_stop and vocabulary.kind(token.lower_) in {Kind.NO_NOUN, Kind.UNKNOWN}
    return is_function_word or len(token) == 1 or not token.lower_[0].isalpha()


def is_always_noun(token: "Token", vocabulary: Vocabulary) -> bool:
    """Whether another word can't be one: "hydrant" in "a fire hydrant on the street", "skillet" in "iron skillet"."""
    noun = vocabulary.singular(token.lower_)
    is_other = token.pos_ in {"ADJ", "ADV"} or token.tag_ in BARE
    return is_other and vocabulary.is_physical(noun) and vocabulary.is_noun_only(noun)


def is_other_noun(token: "Token", vocabulary: Vocabulary) -> bool:
    """Whether a bare verb is the second of two things: "fork" in "knife and fork on a napkin"."""
    if token.tag_ not in BARE or token.i < 2 or token.nbor(-1).lower_ not in {"and", "or"}:
        return False
    return is_thing(token.nbor(-2), vocabulary) and vocabulary.kind(token.lower_) is Kind.THING


def is_end_of_term(before: "Token", token: "Token", vocabulary: Vocabulary) -> bool:
    """Whether a verb ends a term that is in the vocabulary: "bears" in "three teddy bears"."""
    term = f"{before.lower_} {vocabulary.singular(token.lower_)}"
    return token.pos_ in {"VERB", "AUX"} and before.pos_ in NOUNS | {"ADJ"} and vocabulary.is_physical(term)


def is_start_of_term(token: "Token", vocabulary: Vocabulary) -> bool:
    """Whether a noun and the next one, which governs it, are a term: "teddy" as the subject of "bear"."""
    after = token.head
    is_pair = token.pos_ in NOUNS and after.pos_ in NOUNS and after.i == token.i + 1
    return is_pair and vocabulary.is_physical(f"{token.lower_} {vocabulary.singular(after.lower_)}")


def is_doing(_: "Token", token: "Token", vocabulary: Vocabulary) -> bool:
    """Whether a noun after a thing says what the thing does: "a zebra grazing"; not "an oak dining table"."""
    if is_start_of_term(token, vocabulary):
        return False
    return token.pos_ in NOUNS and token.lower_.endswith("ing") and vocabulary.kind(token.lower_) is Kind.ABSTRACT


def is_done_by_one(before: "Token", token: "Token", vocabulary: Vocabulary) -> bool:
    """Whether a plural after a thing says what one of them does: "a lizard basks"; no plural follows "a"."""
    is_of_one = any(word.lower_ in {"a", "an"} for word in [*token.lefts, *before.lefts])
    is_verb_too = not vocabulary.is_noun_only(token.lemma_)
    return token.tag_ == "NNS" and is_of_one and is_verb_too


def is_done_by_several(before: "Token", token: "Token", vocabulary: Vocabulary) -> bool:
    """Whether a noun after things that "and" joins says what they do: "a fork and a spoon lie on a plate"."""
    is_joined = token.dep_ == "conj" and before.head == token
    is_verb_too = vocabulary.kind(token.lower_) is Kind.ABSTRACT and not vocabulary.is_noun_only(token.lower_)
    return (
        is_joined
        and is_verb_too
        and token.tag_ == "NN"
        and token.i + 1 < len(token.doc)
        and token.nbor(1).pos_ == "ADP"
    )


def is_its_name(before: "Token", token: "Token", vocabulary: Vocabulary) -> bool:
    """Whether a noun is the name of the thing before it: "our puppy Bella"."""
    is_new = token.dep_ == "appos" or vocabulary.kind(token.lower_) is Kind.UNKNOWN
    return token.pos_ == "PROPN" and token.text[0].isupper() and before.text.islower() and is_new


def missing_noun(opener: "Token", vocabulary: Vocabulary) -> "Token | None":
    """The last word that can be a noun, after a determiner with none: "a fluffy kitten (verb) playing"."""
    found = None
    for token in opener.doc[opener.i + 1 :]:
        if token.pos_ in NOUNS:
            return None
        if token.pos_ not in INNER and token.text not in {",", "and"}:
            break
        if vocabulary.kind(vocabulary.singular(token.lower_)) is Kind.THING:
            found = token
    return found
