"""The worker with models that cost nothing, or a device's time: all around the models is the real one.

`BENCHMARK_DEVICE_SECONDS` is how long a call takes the process's one device, `BENCHMARK_BATCH` how many items one call
may merge. The calls are noted: see `calls.py`.
"""

import os
import threading
import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, cast

from PIL import Image

from db.session import session_factory
from db.settings import settings
from db.states import StageName
from db.storage import object_store
from tests.benchmarks import calls
from tests.whole_boxes import WholeBoxes
from worker import runtime as real
from worker.app import app
from worker.candidates.nominator import Nominator
from worker.gate import Gate
from worker.leases import Leases
from worker.pipeline.batching import Batcher, BatchLimits
from worker.pipeline.pipeline import Pipeline
from worker.pipeline.results import Box, Candidate, Classification, DetectedBox, Detection, Mask, ModelCard, Query

__all__ = ["app"]

BOX: Box = (8.0, 8.0, 40.0, 40.0)


class Device:
    """One call at a time, each of the same length, whatever it computes."""

    def __init__(self) -> None:
        self._seconds = float(os.environ.get("BENCHMARK_DEVICE_SECONDS", "0"))
        self._one_at_a_time = threading.Lock()
        limits = BatchLimits(size=int(os.environ.get("BENCHMARK_BATCH", "1")))
        self.call: Batcher[str, str] = Batcher(self._run, limits, "fake")

    def _run(self, items: Sequence[str]) -> Sequence[str]:
        if self._seconds:
            with self._one_at_a_time, calls.noted():
                time.sleep(self._seconds)
        return items


class FakeModels:
    """All three stages: the first label is the main object, in the same box of every picture."""

    def __init__(self) -> None:
        self._device = Device()

    def classify(self, image: Image.Image, labels: Sequence[str]) -> Classification:
        """Every label is as likely."""
        self._device.call("classify")
        return Classification(tuple(Candidate(label, 1 / len(labels)) for label in labels), 0.0, ambiguous=True)

    def ladder(self, fit: float | None) -> tuple[float, ...]:
        """One rung."""
        return (0.5,)

    def detect_each(
        self, image: Image.Image, queries: Sequence[Query], *, every_instance: bool = False
    ) -> list[Detection]:
        """All in the same box."""
        self._device.call("detect")
        return [Detection(query.label, (DetectedBox(BOX, 0.9),), 0.5, best_score=0.9) for query in queries]

    def segment(self, image: Image.Image, boxes: Sequence[Box]) -> list[Mask]:
        """The whole boxes."""
        self._device.call("segment")
        return WholeBoxes().segment(image, boxes)


@lru_cache
def fake_runtime() -> real.Runtime:
    """The real one's parts, but for the models and what fetches."""
    config, models = settings(), cast("Any", FakeModels())
    cards = {str(name): ModelCard(f"fake {name}", "1", "MIT") for name in StageName}
    return real.Runtime(
        pipeline=Pipeline(models, models, models, cards),
        nominator=Nominator(cast("Any", None), None),
        store=object_store(),
        sessions=session_factory(),
        image_limits=config.image_limits,
        fetch=cast("Any", None),
        gate=Gate(),
        leases=Leases(session_factory(), config.lease_seconds),
        holder=real.holder(config),
        profile=config.profile,
        images=real.image_cache(config.image_cache_bytes),
    )


real.runtime = fake_runtime  # for this process, before the tasks import it
