"""What metrics say, and how much they moved."""

from collections import Counter
from collections.abc import Callable
from typing import Self

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

Sample = tuple[str, frozenset[tuple[str, str]]]


class Readings(Counter[Sample]):
    """The samples of one scrape: counters, gauges, and the counts and sums of histograms."""

    @classmethod
    def of(cls, *texts: str) -> Self:
        """Of one process, or of several, added up."""
        found = cls()
        for text in texts:
            for family in text_string_to_metric_families(text):
                for sample in family.samples:
                    found[sample.name, frozenset(sample.labels.items())] += sample.value  # type: ignore[assignment]  # a Counter adds floats, too
        return found

    @classmethod
    def here(cls) -> Self:
        """Of the tests' own process."""
        return cls.of(generate_latest().decode())

    def value(self, name: str, **labels: str) -> float:
        """Of this sample; 0 where there is none."""
        return self[name, frozenset(labels.items())]

    def total(self, name: str) -> float:  # type: ignore[override]  # of one metric, not of all
        """Over all its labels."""
        return sum(value for (found, _), value in self.items() if found == name)


def moved(read: Callable[[], Readings], act: Callable[[], object]) -> Readings:
    """What became more while this was done."""
    before = read()
    act()
    after = read()
    after.subtract(before)
    return after
