"""Checks what a language model says that a description names.

The description may have told the model what to say, and the model may make things up. So every label must come with a
quote, and what doesn't occur in the description is dropped. Quotes, not the labels themselves, are compared: the label
may be another inflection, or a translation, which no comparison of words could tell from an invention.
"""

import re
import unicodedata
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from worker.candidates.problems import EndpointFailed

LONGEST_LABEL = 64
MOST_WORDS = 6
MOST_NAMED = 100
LABEL = re.compile(r"[^\W_](?:[\w'\u2019&./ -]*[^\W_])?")
RUN_TOGETHER = ("CJK", "HANGUL", "HIRAGANA", "KATAKANA", "KHMER", "LAO", "MYANMAR", "THAI")
"""Scripts without spaces between words, or with particles that cling to them, as `unicodedata` names their letters."""
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "candidates": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"label": {"type": "string"}, "quote": {"type": "string"}},
                "required": ["label", "quote"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["candidates"],
    "additionalProperties": False,
}
"""What the model is asked to answer with; of JSON Schema only what all endpoints take."""


class Named(BaseModel):
    """One thing that the model found."""

    label: str
    quote: str


class Answer(BaseModel):
    """All that the model found."""

    candidates: list[Named] = Field(max_length=MOST_NAMED)


def read_answer(content: str, description: str) -> list[str]:
    """The labels that the description bears out: lower case, all different, in the model's order.

    Raises `EndpointFailed` where the answer isn't of the schema, or where none of what it names is in the description.
    """
    try:
        answer = Answer.model_validate_json(content)
    except ValidationError as error:
        raise EndpointFailed("its answer isn't what it was asked for") from error
    text = _plain(description)
    labels = [_plain(each.label) for each in answer.candidates if _occurs(_plain(each.quote), text)]
    sane = list(dict.fromkeys(filter(_is_label, labels)))
    if answer.candidates and not sane:
        raise EndpointFailed("it names nothing that the description says")
    return sane


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _occurs(quote: str, text: str) -> bool:
    """Whether the quote is there as whole words, where its script parts words."""
    if not any(character.isalnum() for character in quote):
        return False
    start = r"(?<!\w)" if _parts_words(quote[0]) else ""
    end = r"(?!\w)" if _parts_words(quote[-1]) else ""
    return re.search(start + re.escape(quote) + end, text) is not None


def _parts_words(character: str) -> bool:
    return character.isalnum() and not unicodedata.name(character, "").startswith(RUN_TOGETHER)


def _is_label(label: str) -> bool:
    return len(label) <= LONGEST_LABEL and len(label.split()) <= MOST_WORDS and bool(LABEL.fullmatch(label))
