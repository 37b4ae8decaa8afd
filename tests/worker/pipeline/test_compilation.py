"""Encoders that are compiled where that makes them faster."""

import logging
import shutil
from collections.abc import Callable, Iterator
from itertools import accumulate, chain
from unittest.mock import Mock

import pytest
import torch
from torch import Tensor, nn

from worker.pipeline.compilation import ROUNDS, Compiled
from worker.pipeline.encoding import Encode
from worker.pipeline.execution import Execution

PIXELS = torch.linspace(-1, 1, 192).view(1, 3, 8, 8)


def clock(before: float, after: float) -> Callable[[], float]:
    """Readings for one compilation and a race in which the encoder takes `before`, and what was compiled `after`."""
    steps = chain([0.0, 60.0], *([0.0, before, 0.0, after] for _ in range(ROUNDS)))
    readings: Iterator[float] = accumulate(steps)
    return lambda: next(readings)


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """PyTorch's, whose outcome can be told from what went in: it adds 1."""

    def compile_(encode: Encode, dynamic: bool) -> Encode:
        assert not dynamic
        return lambda pixels: encode(pixels) + 1

    made = Mock(side_effect=compile_)
    monkeypatch.setattr(torch, "compile", made)
    return made


def double(pixels: Tensor) -> Tensor:
    """Stands for an encoder."""
    return pixels * 2


@pytest.mark.parametrize(("before", "after", "is_used"), [(2.0, 1.0, True), (1.0, 1.0, False), (1.0, 2.0, False)])
def test_only_what_is_faster_is_used(compiler: Mock, before: float, after: float, is_used: bool) -> None:
    """A race decides, once; equal is not faster."""
    encoder = Compiled(double, "it", clock(before, after))
    for _ in range(2):
        assert torch.equal(encoder(PIXELS), PIXELS * 2 + is_used)
    compiler.assert_called_once()


def test_other_shapes_are_not_compiled_while_a_job_waits(compiler: Mock) -> None:
    """A batch is encoded as before."""
    encoder = Compiled(double, "it", clock(2, 1))
    encoder(PIXELS)
    batch = PIXELS.expand(2, -1, -1, -1)
    assert torch.equal(encoder(batch), batch * 2)
    compiler.assert_called_once()


def test_without_a_compiler_the_encoder_stays_as_it_is(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The worker starts, and its log says why nothing was compiled."""
    monkeypatch.setattr(torch, "compile", Mock(return_value=Mock(side_effect=RuntimeError("no compiler\nfound"))))
    encoder = Compiled(double, "the encoder")
    with caplog.at_level(logging.WARNING):
        assert torch.equal(encoder(PIXELS), PIXELS * 2)
    assert caplog.messages == ["the encoder can't be compiled, and stays as it is: no compiler"]


@pytest.mark.skipif(not (shutil.which("g++") or shutil.which("clang++")), reason="there is no C++ compiler")
@pytest.mark.filterwarnings("ignore")  # of what PyTorch's compiler is made of
def test_what_pytorch_compiles_computes_the_same() -> None:
    """The real compiler, and features that are those of the encoder as it is."""
    torch.manual_seed(0)
    encode = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GELU(), nn.Flatten(), nn.LayerNorm(144)).eval()
    with torch.inference_mode():
        expected = encode(PIXELS)
        assert torch.allclose(Compiled(encode, "it", clock(2, 1))(PIXELS), expected, atol=1e-5)


def test_nothing_is_compiled_unless_settings_say_so() -> None:
    """The encoder itself is what runs."""
    assert Execution.choose("cpu").compiled(double, "it") is double
    assert isinstance(Execution.choose("cpu", compiles=True).compiled(double, "it"), Compiled)
