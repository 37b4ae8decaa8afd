"""Which device and precision models run in."""

import ctypes
from unittest.mock import Mock

import pytest
import torch

from db.errors import DeviceUnavailable
from worker.pipeline import execution
from worker.pipeline.execution import Execution, choose_device, fastest_dtype, has_bfloat16, keep_freed_memory

CUDA = torch.device("cuda")


@pytest.mark.parametrize("name", ["cpu", "auto"])
def test_the_device_is_the_one_asked_for(name: str) -> None:
    """`auto` takes CUDA where there is one, else the CPU."""
    expected = "cuda" if name == "auto" and torch.cuda.is_available() else "cpu"
    assert choose_device(name).type == expected


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("foo", "the device 'foo': Expected one of cpu, cuda"),
        ("", "must not be empty"),
        ("meta", "meta tensors"),
        pytest.param("cuda:64", "CUDA|NVIDIA", id="a GPU that isn't there"),
    ],
)
def test_a_device_that_is_not_here_is_told(name: str, said: str) -> None:
    """Whether PyTorch knows none of that name, or this machine has none: in one line."""
    with pytest.raises(DeviceUnavailable, match=said) as refusal:
        choose_device(name)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("capability", "dtype"),
    [((7, 5), torch.float16), ((8, 0), torch.bfloat16), ((8, 6), torch.bfloat16), ((9, 0), torch.bfloat16)],
)
def test_gpus_since_ampere_compute_in_bfloat16(
    capability: tuple[int, int], dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Older ones in float16."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", Mock(return_value=capability))
    assert fastest_dtype(CUDA) == dtype


@pytest.mark.parametrize(
    ("capability", "flags", "expected"),
    [
        ("AVX512", {"avx512f", "avx512_bf16"}, True),
        ("AVX512", {"avx512f", "amx_bf16"}, True),
        ("AVX512", {"avx512f"}, False),
        ("AVX2", {"avx2"}, False),
        # The machine could, but torch was told, or built, not to.
        ("DEFAULT", {"avx512f", "avx512_bf16"}, False),
    ],
)
def test_cpus_need_instructions_for_bfloat16(capability: str, flags: set[str], expected: bool) -> None:
    """Emulated, it would be slower than float32."""
    assert has_bfloat16(capability, frozenset(flags)) is expected


@pytest.mark.parametrize("has", [True, False])
def test_a_cpu_takes_what_it_has(has: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """bfloat16, or float32; never float16, which no x86 CPU multiplies."""
    monkeypatch.setattr(execution, "has_bfloat16", Mock(return_value=has))
    assert fastest_dtype(torch.device("cpu")) == (torch.bfloat16 if has else torch.float32)


def test_other_devices_are_not_guessed_at() -> None:
    """Where nobody has measured, float32 is right."""
    assert fastest_dtype(torch.device("mps")) == torch.float32


def test_the_setting_is_stronger() -> None:
    """And a wrong one is named, with what there is."""
    assert Execution.choose("cpu", "float32").dtype == torch.float32
    assert Execution.choose("cpu", "bfloat16").dtype == torch.bfloat16
    with pytest.raises(ValueError, match=r"'int4'; there are: auto, float32"):
        Execution.choose("cpu", "int4")


@pytest.mark.gpu
def test_the_gpu_is_taken_where_there_is_one() -> None:
    """In half precision."""
    chosen = Execution.choose()
    assert chosen.device.type == "cuda"
    assert chosen.dtype in {torch.bfloat16, torch.float16}


def test_a_foreign_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `mallopt` the process goes on as it is."""
    keep_freed_memory.cache_clear()
    monkeypatch.setattr(ctypes, "CDLL", Mock(return_value=object()))
    keep_freed_memory()
    keep_freed_memory.cache_clear()
