"""The queue's gauges, measured when somebody asks for the metrics."""

import logging
from functools import lru_cache

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.registry import Collector

from api.cadence import Cadence
from db import load, metrics
from db.session import OUTAGES, session_factory

logger = logging.getLogger(__name__)

MEASURED_EVERY_SECONDS = 1
MOST_COUNTED = 100_000
"""Stages of one name are counted no further: the count stays cheap, however many wait."""


class QueueGauges:
    """Measured in Postgres, which is the truth, once a second at most. Thread-safe."""

    def __init__(self) -> None:
        self._cadence = Cadence(MEASURED_EVERY_SECONDS)
        self._is_known = False
        self._with_queue = CollectorRegistry()
        self._with_queue.register(REGISTRY)
        self._with_queue.register(metrics.QUEUE)

    def metrics(self) -> Collector:
        """All metrics; those of the queue are missing while Postgres doesn't answer, for what was is no longer true."""
        if self._cadence.is_due():
            self._is_known = self._measure()
        return self._with_queue if self._is_known else REGISTRY

    def _measure(self) -> bool:
        try:
            with session_factory()() as session:
                depths = load.depths(session, at_most=MOST_COUNTED)
                longest = load.longest_wait_seconds(session)
        except OUTAGES as error:
            logger.warning("the queue can't be measured: %s", error)
            return False
        for stage, depth in depths.items():
            metrics.QUEUE_DEPTH.labels(stage).set(depth)
        metrics.OLDEST_JOB_AGE.set(longest)
        return True


@lru_cache
def queue_gauges() -> QueueGauges:
    """The process's."""
    return QueueGauges()
