"""Byte-pair encoding learned the same way every time, for CLIP's tokenizer.

The `tokenizers` library's own trainer breaks ties by hash order, so that two runs disagree on token ids.
"""

from collections import Counter
from itertools import pairwise

from tokenizers import pre_tokenizers
from transformers import CLIPTokenizer

END_OF_WORD = "</w>"
START, END = "<|startoftext|>", "<|endoftext|>"

Word = tuple[str, ...]


def learn_tokenizer(words: dict[str, int], size: int, longest_text: int) -> CLIPTokenizer:
    """A CLIP tokenizer of at most `size` entries for texts made of `words`, given with their counts."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    symbols = [START, END, *alphabet, *(letter + END_OF_WORD for letter in alphabet)]
    counts = {(*word[:-1], word[-1] + END_OF_WORD): count for word, count in words.items()}
    merges: list[tuple[str, str]] = []
    while len(symbols) < size and (pairs := _pairs(counts)):
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        symbols.append("".join(best))
        counts = {_merge(word, best): count for word, count in counts.items()}
    vocabulary = {symbol: position for position, symbol in enumerate(dict.fromkeys(symbols))}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=longest_text)


def _pairs(counts: dict[Word, int]) -> Counter[tuple[str, str]]:
    pairs: Counter[tuple[str, str]] = Counter()
    for word, count in counts.items():
        for pair in pairwise(word):
            pairs[pair] += count
    return pairs


def _merge(word: Word, pair: tuple[str, str]) -> Word:
    merged: list[str] = []
    for symbol in word:
        if merged and (merged[-1], symbol) == pair:
            merged[-1] += symbol
        else:
            merged.append(symbol)
    return tuple(merged)
