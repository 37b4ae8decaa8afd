"""How far a figure can be trusted: 95 % intervals."""

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

Z = 1.96
RESAMPLES = 1000
SEED = 0

Item = TypeVar("Item")


def wilson(hits: int, total: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson, 1927)."""
    if not total:
        return 0.0, 1.0
    share = hits / total
    middle = (share + Z * Z / (2 * total)) / (1 + Z * Z / total)
    half = Z / (1 + Z * Z / total) * math.sqrt(share * (1 - share) / total + Z * Z / (4 * total * total))
    return max(0.0, middle - half), min(1.0, middle + half)


def bootstrap(items: Sequence[Item], figure: Callable[[Sequence[Item]], float]) -> tuple[float, float]:
    """The 95 % percentile interval of a figure of these items (Efron, 1979), from a seed of its own."""
    rng = np.random.default_rng(SEED)
    figures = [figure([items[index] for index in rng.integers(len(items), size=len(items))]) for _ in range(RESAMPLES)]
    low, high = np.quantile(figures, (0.025, 0.975))
    return float(low), float(high)
