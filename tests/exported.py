"""What the code exports to Prometheus."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase

from db import metrics

SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "info": ("_info",)}
NAMED_WITH = {"counter": "_total", "info": "_info"}


@dataclass(frozen=True)
class Exported:
    """One metric as it is defined."""

    name: str
    labels: set[str]
    documentation: str
    series: dict[str, set[str]]
    """The names that expressions may use, with the labels of each."""


def exported() -> Iterator[Exported]:
    """Every metric of ours."""
    for registry in (REGISTRY, metrics.QUEUE):
        for collector in list(registry._collector_to_names):
            if isinstance(collector, MetricWrapperBase) and collector._name.startswith("mainmask_"):
                yield _described(collector)


def _described(metric: MetricWrapperBase) -> Exported:
    kind = metric._type or ""
    labels = {"version"} if kind == "info" else set(metric._labelnames)
    series = {
        metric._name + suffix: labels | ({"le"} if suffix == "_bucket" else set())
        for suffix in SUFFIXES.get(kind, ("",))
    }
    return Exported(metric._name + NAMED_WITH.get(kind, ""), labels, metric._documentation, series)


def series(found: Iterable[Exported]) -> dict[str, set[str]]:
    """All names of theirs that expressions may use, with the labels of each."""
    return {name: labels for metric in found for name, labels in metric.series.items()}
