"""The machine that something was measured on."""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from worker.pipeline.execution import DTYPES, Execution


def description() -> dict[str, Any]:
    """What a reader needs to judge the figures: when, and on what. The load is that before the benchmarks began."""
    execution = Execution.choose()
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "device": str(execution.device),
        "dtype": next(name for name, dtype in DTYPES.items() if dtype == execution.dtype),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "load": round(os.getloadavg()[0], 1),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
