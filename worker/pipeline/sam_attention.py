"""SAM's image encoder with fused attention and half-precision products."""

import torch
from segment_anything.modeling import Sam
from segment_anything.modeling.image_encoder import Attention, ImageEncoderViT, get_rel_pos
from torch import Tensor, nn
from torch.nn import functional

from worker.pipeline.linear import SMALLEST, HalfLinear, halve_linears

SLAB_BYTES = 4 << 20
"""Scores that are in the making at once, where torch's own fused kernel isn't used: about a core's cache."""


class RelativeAttention(nn.Module):
    """The same function as `segment_anything`'s `Attention`, which writes out all scores of all heads, several times.

    The decomposed relative positions (Li et al., "MViTv2", 2022, equation 4) go into `scaled_dot_product_attention` as
    its bias. On a CPU in half precision its kernel is slower than two products with a softmax between, over slabs of
    queries that stay in the cache.
    """

    def __init__(self, original: Attention, dtype: torch.dtype) -> None:
        super().__init__()
        self.heads, self.scale = original.num_heads, original.scale
        self.qkv, self.proj = original.qkv, original.proj
        if dtype != torch.float32:
            self.qkv = HalfLinear(original.qkv, dtype, keeps_dtype=False)
            self.proj = HalfLinear(original.proj, dtype, keeps_dtype=False)
        self.relative = nn.ParameterDict()
        if original.use_rel_pos:
            for axis in ("h", "w"):
                weight = getattr(original, f"rel_pos_{axis}").detach()
                self.relative[axis] = nn.Parameter(weight.to(dtype), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """From (b, height, width, c) to the same shape and dtype; windows are further pictures of the batch."""
        batch, height, width, _ = x.shape
        qkv = self.qkv(x).view(batch, height * width, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        # (b · heads, height · width, c / heads) each
        queries, keys, values = qkv.flatten(1, 2).unbind(0)
        rows, columns = self._positions(queries, height, width)
        if x.device.type == "cpu" and queries.dtype != torch.float32:
            attended = self._in_slabs(queries, keys, values, rows, columns)
        else:
            bias = None if rows is None or columns is None else (rows[..., None] + columns[:, :, None]).flatten(2)
            attended = functional.scaled_dot_product_attention(queries, keys, values, bias, scale=self.scale)
        joined = attended.view(batch, self.heads, height, width, -1).permute(0, 2, 3, 1, 4).flatten(3)
        outputs: Tensor = self.proj(joined).to(x.dtype)
        return outputs

    def _positions(self, queries: Tensor, height: int, width: int) -> tuple[Tensor | None, Tensor | None]:
        """What each query adds to a key's score for its row, (b, n, height), and for its column, (b, n, width)."""
        if not self.relative:
            return None, None
        grid = torch.unflatten(queries, 1, (height, width))
        rows = torch.einsum("bhwc,hkc->bhwk", grid, get_rel_pos(height, height, self.relative["h"]))
        columns = torch.einsum("bhwc,wkc->bhwk", grid, get_rel_pos(width, width, self.relative["w"]))
        return rows.flatten(1, 2), columns.flatten(1, 2)

    def _in_slabs(
        self, queries: Tensor, keys: Tensor, values: Tensor, rows: Tensor | None, columns: Tensor | None
    ) -> Tensor:
        heads, count = queries.shape[:2]
        heads_at_once = max(1, SLAB_BYTES // (count * count * queries.element_size()))
        queries_at_once = max(1, min(count, SLAB_BYTES // (count * queries.element_size())))
        queries, outputs = queries * self.scale, torch.empty_like(values)
        for head in range(0, heads, heads_at_once):
            those = slice(head, head + heads_at_once)
            for first in range(0, count, queries_at_once):
                part = (those, slice(first, first + queries_at_once))
                if rows is None or columns is None:
                    scores = torch.bmm(queries[part], keys[those].mT)
                else:
                    bias = (rows[part][..., None] + columns[part][:, :, None]).flatten(2)
                    scores = bias.baddbmm_(queries[part], keys[those].mT)
                outputs[part] = torch.bmm(scores.softmax(-1), values[those])
        return outputs


def accelerate(model: Sam, dtype: torch.dtype, *, smallest: int = SMALLEST) -> None:
    """Change the image encoder of a loaded model in place: the same features, sooner.

    The decoder stays as it is: it takes a hundredth of the time.
    """
    if isinstance(model.image_encoder, ImageEncoderViT):
        for block in model.image_encoder.blocks:
            block.attn = RelativeAttention(block.attn, dtype)
    halve_linears(model.image_encoder, dtype, inner=("lin1",), smallest=smallest)
