"""GroundingDINO's attention between picture and text, computed in an order that costs a fraction."""

import torch
from torch import Tensor, nn
from transformers.models.grounding_dino.modeling_grounding_dino import GroundingDinoBiMultiHeadAttention

Outputs = tuple[tuple[Tensor, None], tuple[Tensor, None]]


class FusionAttention(nn.Module):
    """The same function as `GroundingDinoBiMultiHeadAttention`, reassociated for few words and many pixels.

    The original projects each of n picture features to wide queries, values and outputs (1024 channels for 256). But
    (x Wq) kᵀ = x (Wq kᵀ), P (x Wv) = (P x) Wv and (P v) Wo = P (v Wo): with t words and h heads, t·h columns take the
    place of those 1024, and a phrase has t ≈ 5, h = 4. Masks are True where attention is forbidden.
    """

    def __init__(self, original: GroundingDinoBiMultiHeadAttention) -> None:
        super().__init__()
        self.heads, self.width = original.num_heads, original.head_dim
        self.scale = original.scale
        self.text_proj: nn.Module = original.text_proj
        self.values_text_proj: nn.Module = original.values_text_proj
        self.out_text_proj: nn.Module = original.out_text_proj
        self.query = nn.Parameter(self._by_head(original.vision_proj.weight), requires_grad=False)
        self.query_bias = nn.Parameter(self._by_head(original.vision_proj.bias), requires_grad=False)
        self.value = nn.Parameter(self._by_head(original.values_vision_proj.weight), requires_grad=False)
        self.value_bias = original.values_vision_proj.bias
        self.output = nn.Parameter(self._by_head(original.out_vision_proj.weight.t().contiguous()), requires_grad=False)
        self.output_bias = original.out_vision_proj.bias

    def _by_head(self, weight: Tensor) -> Tensor:
        """From (heads · width, …) to (heads, width, …)."""
        return torch.unflatten(weight.detach(), 0, (self.heads, self.width))

    def forward(
        self,
        vision_features: Tensor,
        text_features: Tensor,
        vision_attention_mask: Tensor | None = None,
        text_attention_mask: Tensor | None = None,
    ) -> Outputs:
        """From (b, n, c) and (b, t, c) to what each side learns from the other, of the same shapes.

        The masks are (b, n) and (b, t). The weights, which the original returns too, are None.
        """
        batch, words = text_features.shape[:2]
        keys, values = (
            projection(text_features).view(batch, words, self.heads, self.width)
            for projection in (self.text_proj, self.values_text_proj)
        )
        # c: channels of the picture's features; the keys, seen from there.
        keys_there = torch.einsum("bthd,hdc->bhtc", keys, self.query).flatten(1, 2) * self.scale
        offsets = torch.einsum("bthd,hd->bht", keys, self.query_bias).flatten(1)[:, None] * self.scale
        scores = torch.baddbmm(offsets, vision_features, keys_there.mT)  # (b, n, h · t)
        return (
            (self._to_picture(scores, values, text_attention_mask), None),
            (self._to_text(scores, vision_features, vision_attention_mask), None),
        )

    def _to_picture(self, scores: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
        by_head = torch.unflatten(scores, -1, (self.heads, -1))
        if mask is not None:
            by_head = by_head.masked_fill(mask[:, None, None], float("-inf"))
        values_there = torch.einsum("bthd,hdc->bhtc", values, self.output).flatten(1, 2)
        outputs: Tensor = torch.baddbmm(self.output_bias, by_head.softmax(-1).flatten(2), values_there)
        return outputs

    def _to_text(self, scores: Tensor, vision_features: Tensor, mask: Tensor | None) -> Tensor:
        by_word = scores.mT.contiguous()  # (b, h · t, n)
        if mask is not None:
            by_word = by_word.masked_fill(mask[:, None], float("-inf"))
        means = torch.unflatten(by_word.softmax(-1) @ vision_features, 1, (self.heads, -1))  # (b, h, t, c)
        # The weights of each word add up to 1, so the bias comes in once.
        values = torch.einsum("bhtc,hdc->bthd", means, self.value).flatten(2) + self.value_bias
        outputs: Tensor = self.out_text_proj(values)
        return outputs
