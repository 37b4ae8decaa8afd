"""GroundingDINO's prompts, put together token by token, so that each label's own tokens are known from the start.

A prompt is `[CLS] label . label . [SEP]`. The model lets tokens attend within a label only, and ends a label at `.`,
`?`, `[CLS]` and `[SEP]`. So a label is tokenized alone, what would end it is left out, and its place in the prompt is
where it was put. Nothing is ever searched for in decoded text, where plurals, repeated words, word pieces and unknown
scripts go astray.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from worker.pipeline.hugging_face import Tokenizer, plain_tokens


@dataclass(frozen=True)
class Span:
    """One label's place in a prompt."""

    label: int
    """The label's position among those asked."""
    tokens: tuple[int, ...]
    """Positions in the prompt of the tokens that the label is scored on: its own, and of those only known ones."""


@dataclass(frozen=True)
class Prompt:
    """Token ids with special ones, and the labels in it."""

    token_ids: tuple[int, ...]
    spans: tuple[Span, ...]


@dataclass(frozen=True)
class Wording:
    """A label as the model reads it."""

    token_ids: tuple[int, ...]
    known: tuple[bool, ...]
    is_cut: bool
    """The label was longer than a whole prompt."""

    @property
    def is_legible(self) -> bool:
        """Whether the model knows any part of it: of `[UNK]` alone it would find anything."""
        return any(self.known)


class PromptWriter:
    """Writes labels into as few prompts as they fit in. Stateless: threads may share it."""

    def __init__(self, tokenizer: Tokenizer, maximum_tokens: int) -> None:
        """`maximum_tokens` is the longest prompt that the model takes, special tokens included."""
        self._tokenizer = tokenizer
        self._stop = int(tokenizer.convert_tokens_to_ids("."))
        special = {tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.pad_token_id}
        self._ends = {*special, self._stop, int(tokenizer.convert_tokens_to_ids("?"))} - {tokenizer.unk_token_id}
        self._room = maximum_tokens - 2  # [CLS] and [SEP]

    def word(self, label: str) -> Wording:
        """The label's own tokens."""
        found = [token for token in plain_tokens(self._tokenizer, label.lower()) if token not in self._ends]
        kept = tuple(found[: self._room - 1])  # a stop follows
        known = tuple(token != self._tokenizer.unk_token_id for token in kept)
        return Wording(kept, known, is_cut=len(kept) < len(found))

    def write(self, wordings: Sequence[Wording]) -> Iterator[Prompt]:
        """Prompts with all legible labels, in their order; each label is whole in one prompt."""
        body: list[int] = []
        spans: list[Span] = []
        for label, wording in enumerate(wordings):
            if not wording.is_legible:
                continue
            if len(body) + len(wording.token_ids) + 1 > self._room:
                yield self._prompt(body, spans)
                body, spans = [], []
            start = 1 + len(body)
            own = (start + offset for offset, is_known in enumerate(wording.known) if is_known)
            spans.append(Span(label, tuple(own)))
            body += [*wording.token_ids, self._stop]
        if spans:
            yield self._prompt(body, spans)

    def _prompt(self, body: list[int], spans: list[Span]) -> Prompt:
        return Prompt((self._tokenizer.cls_token_id, *body, self._tokenizer.sep_token_id), tuple(spans))


def span_scores(logits: torch.Tensor, span: Span) -> torch.Tensor:
    """From (queries, tokens) logits of one prompt to (queries,) scores of one label, 0 to 1.

    A box scores a label by the label's best token, as GroundingDINO's own post-processing scores the whole text.
    """
    scores: torch.Tensor = logits[:, list(span.tokens)].sigmoid().amax(-1)
    return scores
