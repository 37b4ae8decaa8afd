"""Linear layers whose products are computed in half precision, in models that are float32 otherwise."""

from collections.abc import Collection

import torch
from torch import Tensor, nn
from torch.nn import functional

SMALLEST = 256
"""Channels: below that, converting the input costs about what the product saves. Of `tiny`, nothing is wider."""


class HalfLinear(nn.Module):
    """A linear layer with its weights, and the product, in `dtype`; sums are float32 inside the kernels.

    The output has the input's dtype. With `keeps_dtype=False` it stays in `dtype`, for a consumer that wants it so.
    """

    def __init__(self, linear: nn.Linear, dtype: torch.dtype, *, keeps_dtype: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(linear.weight.detach().to(dtype), requires_grad=False)
        self.bias = None
        if linear.bias is not None:
            self.bias = nn.Parameter(linear.bias.detach().to(dtype), requires_grad=False)
        self._keeps_dtype = keeps_dtype

    def forward(self, inputs: Tensor) -> Tensor:
        """From (…, in) to (…, out)."""
        outputs = functional.linear(inputs.to(self.weight.dtype), self.weight, self.bias)
        return outputs.to(inputs.dtype) if self._keeps_dtype else outputs


def halve_linears(
    module: nn.Module, dtype: torch.dtype, inner: Collection[str] = (), *, smallest: int = SMALLEST
) -> None:
    """Replace the linear layers below the module by `HalfLinear`s, except narrow ones; nothing happens for float32.

    Subclasses stay: `nn.MultiheadAttention` reads the weights of its own kind itself. Those named in `inner` hand their
    output on in half precision: only for what feeds nothing but another of them.
    """
    if dtype == torch.float32:
        return
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is nn.Linear and min(child.in_features, child.out_features) >= smallest:
                setattr(parent, name, HalfLinear(child, dtype, keeps_dtype=name not in inner))
