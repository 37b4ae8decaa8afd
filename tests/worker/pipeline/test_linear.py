"""Linear layers in half precision."""

import pytest
import torch
from torch import nn

from worker.pipeline.linear import HalfLinear, halve_linears


@pytest.mark.parametrize("bias", [True, False])
def test_the_product_is_rounded_and_the_dtype_kept(bias: bool) -> None:
    """Close to float32, within bfloat16's 8 bits, and float32 again for what follows."""
    torch.manual_seed(0)
    linear = nn.Linear(64, 48, bias=bias)
    inputs = torch.randn(2, 5, 64)
    outputs = HalfLinear(linear, torch.bfloat16)(inputs)
    assert outputs.dtype == torch.float32
    torch.testing.assert_close(outputs, linear(inputs), rtol=0.02, atol=0.02)


def test_only_wide_layers_are_replaced() -> None:
    """And the inner ones hand on what they computed in."""
    model = nn.ModuleDict({"fc1": nn.Linear(256, 512), "fc2": nn.Linear(512, 256), "head": nn.Linear(256, 4)})
    halve_linears(model, torch.bfloat16, inner=("fc1",))
    assert [type(layer) for layer in model.values()] == [HalfLinear, HalfLinear, nn.Linear]
    hidden = model["fc1"](torch.randn(3, 256))
    assert hidden.dtype == torch.bfloat16
    assert model["fc2"](torch.randn(3, 512)).dtype == torch.float32


def test_float32_stays_as_it_is() -> None:
    """Nothing is replaced."""
    model = nn.Sequential(nn.Linear(512, 512))
    halve_linears(model, torch.float32)
    assert type(model[0]) is nn.Linear
