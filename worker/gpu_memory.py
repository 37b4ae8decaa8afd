"""The CUDA devices' memory, read when somebody asks for the metrics."""

from collections.abc import Callable
from functools import partial

import torch

from db.metrics import GPU_MEMORY

READINGS: dict[str, Callable[[int], int]] = {
    "allocated": torch.cuda.memory_allocated,
    "reserved": torch.cuda.memory_reserved,
    "free": lambda device: torch.cuda.mem_get_info(device)[0],
    "total": lambda device: torch.cuda.mem_get_info(device)[1],
}


def watch() -> None:
    """Have every device that this process sees among its metrics; where there is none, there is no such metric."""
    for device in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        for kind, read in READINGS.items():
            GPU_MEMORY.labels(device, kind).set_function(partial(read, device))
