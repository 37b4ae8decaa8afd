"""The memory of CUDA devices among the metrics."""

import pytest
import torch
from prometheus_client import generate_latest

from db.metrics import GPU_MEMORY
from tests.readings import Readings
from worker import gpu_memory


def test_without_cuda_there_is_no_such_metric(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even one that says 0."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    gpu_memory.watch()
    assert "mainmask_gpu_memory_bytes{" not in generate_latest().decode()


def test_each_device_is_read_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four readings of each, of that very moment."""
    allocated = {0: 1, 1: 2}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (10 + device, 20 + device))
    monkeypatch.setitem(gpu_memory.READINGS, "allocated", lambda device: allocated[device])
    monkeypatch.setitem(gpu_memory.READINGS, "reserved", lambda device: 5)
    try:
        gpu_memory.watch()
        allocated[1] = 3
        found = Readings.of(generate_latest().decode())
    finally:
        GPU_MEMORY.clear()
    assert found.value("mainmask_gpu_memory_bytes", device="1", kind="allocated") == 3
    assert found.value("mainmask_gpu_memory_bytes", device="0", kind="reserved") == 5
    assert found.value("mainmask_gpu_memory_bytes", device="1", kind="free") == 11
    assert found.value("mainmask_gpu_memory_bytes", device="0", kind="total") == 20
