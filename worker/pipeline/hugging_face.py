"""The few calls to transformers whose names or answers differ between its versions, or that need care with labels."""

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from PIL import Image
from transformers import BatchEncoding, BatchFeature

from worker.pipeline.upload import planes_of, upload, where_resized


class Tokenizer(Protocol):
    """What is used of a BERT tokenizer; transformers has no types for it."""

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


def processed(image_processor: Any, image: Image.Image, device: torch.device) -> BatchFeature:
    """What an image processor makes of an RGB picture, as a batch of one on the device: what it makes of it alone.

    It is given the three planes: its own way to them, a strided copy, takes longer than all that comes after. A device
    that makes them smaller itself gets them as bytes.
    """
    planes = upload(planes_of(image), where_resized(image.size, device))
    batch: BatchFeature = image_processor(images=planes, input_data_format="channels_first", return_tensors="pt")
    return batch.to(device)


def plain_tokens(tokenizer: Tokenizer, text: str) -> list[int]:
    """Ids of the text's own tokens, however many; a caller's "[SEP]" or "<|endoftext|>" is text like any other."""
    return list(tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True, verbose=False))


def text_batch(tokenizer: Any, texts: Sequence[str], maximum_tokens: int) -> BatchEncoding:
    """Texts padded to one (n, tokens) batch, each with its special tokens and cut at `maximum_tokens`."""
    batch: BatchEncoding = tokenizer(
        list(texts),
        padding=True,
        truncation=True,
        max_length=maximum_tokens,
        split_special_tokens=True,
        return_tensors="pt",
    )
    return batch


def pooled(output: Any) -> torch.Tensor:
    """From what `get_image_features` and `get_text_features` give to (b, d): transformers 5 wraps it, 4 did not."""
    features: torch.Tensor = output if isinstance(output, torch.Tensor) else output.pooler_output
    return features
