"""GroundingDINO's deformable attention as one weighted sum over gathered rows."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.models.grounding_dino.modeling_grounding_dino import GroundingDinoMultiscaleDeformableAttention

CHUNK = 512
"""Queries whose indices and weights are made at a time on a CPU, so that they stay in its cache."""


class DeformableAttention(nn.Module):
    """The same function as `GroundingDinoMultiscaleDeformableAttention`.

    Source: Zhu et al., "Deformable DETR", 2021, equation 3. A bilinear sample is a sum over four pixels, so a head's
    output is one weighted sum over levels x points x 4 rows of the value table: `embedding_bag` computes it in one
    pass over contiguous rows, where `grid_sample` wants the table transposed, gathers channel by channel and writes
    out every sample. The table has a border of zeros, which is what lies outside the picture.
    """

    def __init__(self, original: GroundingDinoMultiscaleDeformableAttention) -> None:
        super().__init__()
        self.heads, self.levels, self.points = original.n_heads, original.n_levels, original.n_points
        self.value_proj, self.output_proj = original.value_proj, original.output_proj
        # One product in place of two; x, y and weight come out as three blocks that are each contiguous.
        offsets = original.sampling_offsets
        rows = torch.arange(offsets.out_features).view(-1, 2).t().flatten()
        self.sampling = nn.Linear(offsets.in_features, offsets.out_features * 3 // 2)
        self.sampling.weight.data = torch.cat([offsets.weight[rows], original.attention_weights.weight]).detach()
        self.sampling.bias.data = torch.cat([offsets.bias[rows], original.attention_weights.bias]).detach()

    def forward(  # noqa: PLR0913, PLR0917 - the original's signature
        self,
        hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        encoder_hidden_states: Tensor | None = None,
        encoder_attention_mask: Tensor | None = None,  # noqa: ARG002 - the original ignores it, too
        position_embeddings: Tensor | None = None,
        reference_points: Tensor | None = None,
        spatial_shapes: Tensor | None = None,  # noqa: ARG002 - known from the list
        spatial_shapes_list: Sequence[tuple[int, int]] = (),
        level_start_index: Tensor | None = None,  # noqa: ARG002 - known from the list
        output_attentions: bool = False,  # noqa: ARG002 - never asked for
    ) -> tuple[Tensor, None]:
        """From (b, q, c) queries over (b, n, c) features to (b, q, c); the mask (b, n) is True for real pixels.

        `reference_points` are (b, q, levels, 2 or 4): XY, or centre and size, relative to the picture.
        """
        assert encoder_hidden_states is not None  # noqa: S101 - for mypy: the callers always give both
        assert reference_points is not None  # noqa: S101
        table, starts = self._table(encoder_hidden_states, attention_mask, spatial_shapes_list)
        queries = hidden_states if position_embeddings is None else hidden_states + position_embeddings
        sampling = torch.unflatten(self.sampling(queries).float(), -1, (3, self.heads, self.levels, self.points))
        count = queries.shape[1]
        step = CHUNK if queries.device.type == "cpu" else count
        gathered = [
            self._gather(
                table, starts, sampling[:, i : i + step], reference_points[:, i : i + step], spatial_shapes_list
            )
            for i in range(0, count, step)
        ]
        return self.output_proj(torch.cat(gathered, 1)), None

    def _table(
        self, features: Tensor, mask: Tensor | None, shapes: Sequence[tuple[int, int]]
    ) -> tuple[Tensor, list[int]]:
        """The value rows (b · rows · heads, c / heads) of all levels, each with its border, and where each starts."""
        values = self.value_proj(features)
        if mask is not None:
            values = values.masked_fill(~mask[..., None], 0.0)
        starts, rows = [], 0
        for height, width in shapes:
            starts.append(rows)
            rows += (height + 3) * (width + 3)
        table = values.new_zeros(len(values), rows, values.shape[-1])
        levels = values.split([height * width for height, width in shapes], 1)
        for (height, width), start, level in zip(shapes, starts, levels, strict=True):
            area = table[:, start : start + (height + 3) * (width + 3)].unflatten(1, (height + 3, width + 3))
            # One before and two behind: a sample just past the end still has two neighbours there.
            area[:, 1 : height + 1, 1 : width + 1] = level.unflatten(1, (height, width))
        return table.view(-1, values.shape[-1] // self.heads), starts

    def _gather(
        self, table: Tensor, starts: list[int], sampling: Tensor, references: Tensor, shapes: Sequence[tuple[int, int]]
    ) -> Tensor:
        """`sampling` is (b, q, 3, heads, levels, points): x, y and weight."""
        batch, queries = sampling.shape[:2]
        sizes = sampling.new_tensor([(width, height) for height, width in shapes]).t()[..., None]  # (2, levels, 1)
        strides = torch.tensor([width + 3 for _, width in shapes], dtype=torch.int32, device=table.device)
        x, y = (
            self._pixels(sampling[:, :, axis], references[..., axis::2], sizes[axis])
            for axis in (0, 1)
        )  # fmt: skip
        left, top = x.floor(), y.floor()
        x -= left
        y -= top
        weights = torch.unflatten(sampling[:, :, 2].flatten(-2).softmax(-1), -1, (self.levels, self.points))
        below = weights * y
        above = weights - below
        corners = sampling.new_empty(batch, queries, self.heads, 4, self.levels, self.points)
        for number, row in ((0, above), (2, below)):
            right = torch.mul(row, x, out=corners[:, :, :, number + 1])
            torch.sub(row, right, out=corners[:, :, :, number])
        first = top.to(torch.int32) * strides[:, None] + left.to(torch.int32)
        indices = first[:, :, :, None] * self.heads + self._steps(starts, strides, len(table) // batch, batch)
        bags = batch * queries * self.heads
        summed = functional.embedding_bag(
            indices.view(bags, -1), table, per_sample_weights=corners.view(bags, -1).to(table.dtype), mode="sum"
        )
        return summed.view(batch, queries, -1)

    def _pixels(self, offsets: Tensor, references: Tensor, size: Tensor) -> Tensor:
        """Positions on each level in its bordered pixels, (b, q, heads, levels, points), kept inside the border.

        `references` are (b, q, levels, 1 or 2): the centre, and the extent where the offsets are relative to that.
        """
        centre = references[:, :, None, :, :1] * size
        if references.shape[-1] == 2:
            offsets = offsets * (references[:, :, None, :, 1:] * size * (0.5 / self.points))
        # A pixel's centre is at its index plus 0.5, and the border adds one.
        return (offsets + (centre + 0.5)).clamp(torch.zeros_like(size), size + 1)

    def _steps(self, starts: list[int], strides: Tensor, rows_a_picture: int, batch: int) -> Tensor:
        """From a sample's first corner to all four, to its level, head and picture: (b, 1, heads, 4, levels, 1)."""
        device = strides.device
        corner = torch.stack([torch.zeros_like(strides), torch.ones_like(strides), strides, strides + 1])
        level = corner + torch.tensor(starts, dtype=torch.int32, device=device)  # (4, levels)
        head = torch.arange(self.heads, dtype=torch.int32, device=device)
        picture = torch.arange(batch, dtype=torch.int32, device=device) * rows_a_picture
        steps: Tensor = (
            (level * self.heads)[None, None, None] + head[:, None, None] + picture[:, None, None, None, None]
        )
        return steps[..., None]
