"""Encoders that are compiled where that makes them faster."""

import logging
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import accumulate, chain

import pytest
import torch
from torch import Tensor, nn

from worker.pipeline import compilation
from worker.pipeline.compilation import COMPILERS, ROUNDS, Compiled
from worker.pipeline.encoding import Encode
from worker.pipeline.execution import Execution

PIXELS = torch.linspace(-1, 1, 192).view(1, 3, 8, 8)


def clock(*races: tuple[float, float]) -> Callable[[], float]:
    """Readings for races, one after another: the encoder takes the first time, what was compiled the second."""
    steps = chain.from_iterable([0.0, before, 0.0, after] for before, after in races for _ in range(ROUNDS))
    readings: Iterator[float] = accumulate(steps)
    return lambda: next(readings)


def double(pixels: Tensor) -> Tensor:
    """Stands for an encoder."""
    return pixels * 2


class Compiler:
    """One whose outcome can be told from what went in: it adds a number."""

    def __init__(self, adds: int) -> None:
        self.adds = adds
        self.runs = 0

    def __call__(self, encode: Encode, pixels: Tensor) -> Encode:
        self.runs += 1
        return lambda pixels: encode(pixels) + self.adds


def fails(encode: Encode, pixels: Tensor) -> Encode:
    """A compiler that lacks something."""
    raise RuntimeError("no compiler\nfound")


@pytest.fixture
def compilers(monkeypatch: pytest.MonkeyPatch) -> dict[str, Compiler]:
    """Two, in the place of the real ones."""
    made = {"One": Compiler(1), "Other": Compiler(10)}
    monkeypatch.setattr(compilation, "COMPILERS", made)
    return made


@pytest.mark.parametrize(
    ("races", "adds"),
    [
        ([(2.0, 1.0), (2.0, 1.5)], 1),
        ([(2.0, 1.5), (2.0, 1.0)], 10),
        ([(1.0, 1.0), (1.0, 2.0)], 0),
        ([(1.0, 2.0), (2.0, 1.0)], 10),
    ],
)
def test_the_fastest_is_used(compilers: dict[str, Compiler], races: list[tuple[float, float]], adds: int) -> None:
    """Races decide, once; equal is not faster than the encoder as it is."""
    encoder = Compiled(double, "it", clock(*races))
    for _ in range(2):
        assert torch.equal(encoder(PIXELS), PIXELS * 2 + adds)
    assert [compiler.runs for compiler in compilers.values()] == [1, 1]


def test_other_shapes_are_not_compiled_while_a_job_waits(compilers: dict[str, Compiler]) -> None:
    """A batch is encoded as before."""
    encoder = Compiled(double, "it", clock((2, 1), (2, 1)))
    encoder(PIXELS)
    batch = PIXELS.expand(2, -1, -1, -1)
    assert torch.equal(encoder(batch), batch * 2)
    assert compilers["One"].runs == 1


def test_without_a_compiler_the_encoder_stays_as_it_is(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The worker starts, and its log says why nothing was compiled."""
    monkeypatch.setattr(compilation, "COMPILERS", {"One": fails, "Other": lambda *_: None})
    encoder = Compiled(double, "the encoder")
    with caplog.at_level(logging.WARNING):
        assert torch.equal(encoder(PIXELS), PIXELS * 2)
    assert caplog.messages == ["the encoder can't be compiled by One: no compiler"]


@pytest.fixture
def network() -> nn.Module:
    """A small encoder of what real ones are made of."""
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GELU(), nn.Flatten(), nn.LayerNorm(144)).eval()
    return Execution.choose("cpu").place(layers)


@pytest.mark.skipif(not (shutil.which("g++") or shutil.which("clang++")), reason="there is no C++ compiler")
@pytest.mark.filterwarnings("ignore")  # of what PyTorch's compiler is made of
def test_what_pytorch_compiles_computes_the_same(network: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real compiler, and features that are those of the encoder as it is."""
    monkeypatch.setattr(compilation, "COMPILERS", {"PyTorch": COMPILERS["PyTorch"]})
    with torch.inference_mode():
        encoder = Compiled(network, "it", clock((2, 1)))
        assert torch.allclose(encoder(PIXELS), network(PIXELS), atol=1e-5)
    assert encoder._faster is not network


def test_what_openvino_compiles_computes_the_same(network: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when threads share it: each gets the features of its own pixels, and keeps them."""
    monkeypatch.setattr(compilation, "COMPILERS", {"OpenVINO": COMPILERS["OpenVINO"]})
    encoder = Compiled(partial(network), "it", clock((2, 1)))  # a method, as a real model's, is no module

    def encode(scale: int) -> Tensor:
        with torch.inference_mode():
            return encoder(PIXELS * scale)

    encode(1)
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(encode, range(40)))
    assert encoder._faster is not encoder._encode
    with torch.inference_mode():
        for scale, features in enumerate(found):
            assert torch.allclose(features, network(PIXELS * scale), atol=1e-5)


def test_nothing_is_compiled_unless_settings_say_so() -> None:
    """The encoder itself is what runs."""
    assert Execution.choose("cpu").compiled(double, "it") is double
    assert isinstance(Execution.choose("cpu", compiles=True).compiled(double, "it"), Compiled)


def test_convolutions_on_a_cpu_have_their_channels_last() -> None:
    """In memory; to whoever looks at shapes and numbers they are what they were."""
    convolution = nn.Conv2d(3, 4, 3)
    expected, weight = convolution(PIXELS), convolution.weight.detach().clone()
    Execution.choose("cpu").place(nn.Sequential(convolution, nn.ReLU()))
    assert convolution.weight.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(convolution.weight, weight)
    assert torch.allclose(convolution(PIXELS), expected, atol=1e-6)
