"""What labels are to a tokenizer: plain words, also where they look like its special tokens."""

from typing import Protocol


class Tokenizer(Protocol):
    """What is used of a Hugging Face tokenizer; transformers has no types for it."""

    cls_token_id: int
    sep_token_id: int
    pad_token_id: int
    unk_token_id: int

    def convert_tokens_to_ids(self, token: str) -> int:
        """One token's id."""
        ...

    def encode(self, text: str, *, add_special_tokens: bool, split_special_tokens: bool, verbose: bool) -> list[int]:
        """The ids of a text's tokens."""
        ...


def plain_tokens(tokenizer: Tokenizer, text: str) -> list[int]:
    """Ids of the text's own tokens, however many; a caller's "[SEP]" or "<|endoftext|>" is text like any other."""
    return list(tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True, verbose=False))
