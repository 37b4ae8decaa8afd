"""transformers' SAM-HQ, so mended that it cuts out what the authors' own package does with the same weights."""

from typing import Any

import torch
from torch import nn
from transformers import SamHQModel


def mended(model: SamHQModel) -> SamHQModel:
    """The model itself, whose mask decoder now looks at the picture after it has looked at the box.

    transformers 5.23 drops the second output of the decoder's two-way transformer, the attended picture, and goes on
    with what it put in; its first SAM-HQ, in 4.52, did not. The authors' decoder, as SAM's, goes on with what came out
    (Ke et al., "Segment Anything in High Quality", 2023). In a version that takes the output, this changes nothing.
    """
    model.mask_decoder.transformer.register_forward_hook(_put_attended_in, with_kwargs=True)
    return model


def _put_attended_in(
    _: nn.Module, __: tuple[Any, ...], given: dict[str, Any], outputs: tuple[torch.Tensor, torch.Tensor]
) -> None:
    """Overwrite what the decoder reads next: a tensor of its own, made for this call."""
    picture: torch.Tensor = given["image_embeddings"]
    boxes, channels, height, width = picture.shape
    attended = outputs[1].reshape(boxes, height * width, channels).mT.reshape(picture.shape)
    # It takes rows for columns before it reads them, which the true output, a list of pixels, needs.
    picture.copy_(attended.mT)
