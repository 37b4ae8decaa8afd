"""The worker with its models, which notes when each of their calls began and ended: see `calls.py`."""

from functools import lru_cache, wraps
from typing import Any

from tests.benchmarks import calls
from worker import runtime as real
from worker.app import app

__all__ = ["app"]

TIMED = {"classifier": "classify", "detector": "detect_each", "segmenter": "segment"}

untimed_runtime = real.runtime


@lru_cache
def timed_runtime() -> real.Runtime:
    """The real one, whose models are watched."""
    runtime = untimed_runtime()
    for stage, method in TIMED.items():
        _watch(getattr(runtime.pipeline, stage), method)
    return runtime


def _watch(model: Any, method: str) -> None:
    call = getattr(model, method)

    @wraps(call)
    def timed(*arguments: Any, **options: Any) -> Any:
        with calls.noted():
            return call(*arguments, **options)

    setattr(model, method, timed)


real.runtime = timed_runtime  # for this process, before the tasks import it
