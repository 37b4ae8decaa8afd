"""When a worker's device was busy: a line a call in a file, begin and end by the machine's clock."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

VARIABLE = "BENCHMARK_CALLS"
"""The file's name; without it nothing is noted."""

Call = tuple[float, float]


@contextmanager
def noted() -> Iterator[None]:
    """Note the block as a call."""
    begun = time.time()
    yield
    if path := os.environ.get(VARIABLE):
        with Path(path).open("a") as log:
            log.write(f"{begun} {time.time()}\n")


def read(path: Path) -> list[Call]:
    """All that were noted, by their beginning."""
    if not path.exists():
        return []
    calls = [line.split() for line in path.read_text().splitlines()]
    return sorted((float(begun), float(ended)) for begun, ended in calls)


def busy_seconds(calls: list[Call], since: float, until: float) -> float:
    """How long calls, which don't overlap, ran between these moments."""
    return sum(max(0.0, min(ended, until) - max(begun, since)) for begun, ended in calls)
