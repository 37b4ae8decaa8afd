"""How models run: on which device, in which precision, in what batches, with what memory."""

import ctypes
import logging
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from typing import TypeVar

import torch
from torch import nn

from db.errors import DeviceUnavailable
from worker.pipeline.batching import BatchLimits
from worker.pipeline.compilation import Compiled
from worker.pipeline.encoding import Encode, Encoder, Memory
from worker.pipeline.linear import SMALLEST, halve_linears

logger = logging.getLogger(__name__)

ModuleT = TypeVar("ModuleT", bound=nn.Module)

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

# glibc's <malloc.h>.
M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
KEPT_BYTES = 1 << 30


@dataclass(frozen=True)
class Execution:
    """Where models run, and the dtype of their matrix products; sums, norms and coordinates stay float32."""

    device: torch.device
    dtype: torch.dtype = torch.float32
    memory: Memory = field(default_factory=Memory)
    limits: Mapping[str, BatchLimits] = field(default_factory=dict)
    """Of the batches of each stage, by its name; a stage that isn't named makes none."""
    narrowest: int = SMALLEST
    """Channels of the narrowest layers whose products are in `dtype`."""
    compiles: bool = False
    """Whether image encoders are compiled, where that makes them faster."""

    @classmethod
    def choose(
        cls,
        device: str = "auto",
        dtype: str = "auto",
        memory: Memory | None = None,
        limits: Mapping[str, BatchLimits] | None = None,
        *,
        compiles: bool = False,
    ) -> "Execution":
        """By names. Device `auto`: CUDA where there is one. Dtype `auto`: the fastest that the device computes in.

        Raises `DeviceUnavailable`, and `ValueError` for a dtype that isn't one of `DTYPES`.
        """
        target = choose_device(device)
        if dtype != "auto" and dtype not in DTYPES:
            raise ValueError(f"There is no precision {dtype!r}; there are: auto, {', '.join(DTYPES)}.")
        chosen = fastest_dtype(target) if dtype == "auto" else DTYPES[dtype]
        return cls(target, chosen, memory or Memory(), limits or {}, compiles=compiles)

    def halve(self, module: nn.Module, inner: Collection[str] = ()) -> None:
        """Have the module's linear layers compute in `dtype`: see `halve_linears`."""
        halve_linears(module, self.dtype, inner, smallest=self.narrowest)

    def place(self, model: ModuleT) -> ModuleT:
        """The model on the device, in memory of its own.

        Weights are read from a file that is mapped into memory. Of that, every page that was ever looked at stays for
        as long as a single tensor lies in it: after `halve`, mostly for nothing.
        """
        if self.device.type == "cpu":
            for tensor in chain(model.parameters(), model.buffers()):
                tensor.data = tensor.data.clone()
            for module in model.modules():
                if isinstance(module, nn.Conv2d):
                    # A CPU convolves a pixel's channels side by side: some per cent less time, and the same numbers.
                    module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last)
        return model.to(self.device).requires_grad_(requires_grad=False)  # they have learned

    def compiled(self, encode: Encode, model: str) -> Encode:
        """The encoder of a model that sees all pictures in one size, compiled if that is wanted, and faster."""
        return Compiled(encode, f"the image encoder of {model}") if self.compiles else encode

    def encoder(self, stage: str, encode: Encode, model: str, *, is_shared: bool = False) -> Encoder:
        """A stage's image encoder as all threads share it; `model` names the very weights.

        `is_shared`: its features may be left where other workers find them.
        """
        model = f"{model}-{str(self.dtype).removeprefix('torch.')}"
        memory = self.memory if is_shared else self.memory.private()
        return Encoder(encode, stage, model, memory=memory, limits=self.limits.get(stage))


def choose_device(name: str) -> torch.device:
    """A torch device by its name; `auto` takes CUDA where there is one.

    Raises `DeviceUnavailable` for a name that PyTorch doesn't know, and for a device that isn't here.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        # PyTorch knows many devices that this machine, or this build of PyTorch, hasn't: one that is here counts.
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError) as error:
        raise DeviceUnavailable(name, str(error).splitlines()[0].partition(". ")[0]) from error
    return device


def fastest_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the device multiplies it in hardware, else float16 on a GPU, else float32.

    Ampere (compute capability 8.0) is the first GPU with bfloat16; on a CPU it is AVX512_BF16 or AMX. Without them
    bfloat16 would be emulated, slower than float32.
    """
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.get_device_capability(device)[0] >= 8 else torch.float16
    if device.type == "cpu" and has_bfloat16(torch.backends.cpu.get_cpu_capability(), _cpu_flags()):
        return torch.bfloat16
    return torch.float32


def has_bfloat16(capability: str, flags: frozenset[str]) -> bool:
    """Whether a CPU with these flags, of which torch uses this much, multiplies bfloat16 in hardware."""
    return "AVX512" in capability and not flags.isdisjoint({"avx512_bf16", "amx_bf16"})


@cache
def _cpu_flags() -> frozenset[str]:
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as lines:  # noqa: PTH123 - not a regular file
            return next(
                (frozenset(line.split(":")[1].split()) for line in lines if line.startswith("flags")), frozenset()
            )
    except OSError:
        return frozenset()  # not Linux


@cache
def keep_freed_memory() -> None:
    """Have glibc keep what is freed, up to a GiB, for the next call of a model.

    By default it maps each large tensor anew and gives it back at once, and the kernel zeroes every page of it again:
    on a virtual machine up to half of a model's time. Elsewhere than on Linux with glibc nothing happens.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None or not all(mallopt(option, KEPT_BYTES) for option in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD)):
        logger.info("this C library's allocator can't be told to keep freed memory")
