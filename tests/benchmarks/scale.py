"""How much of everything a run of the benchmarks does."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Scale:
    """Counts; the full ones take minutes, those of the smoke run seconds, and say nothing."""

    profile: str
    """Of the models whose speed is measured."""
    pictures: int
    """That the reference is asked about, which takes it half a minute each."""
    scenes: int
    """Composed ones, for answers; 0: the pictures instead, and no art is needed."""
    art: Path = Path(".data/tiny")
    """Where the art of the scenes is kept, or fetched to."""


FULL = Scale(profile="base", pictures=5, scenes=200)
SMOKE = Scale(profile="tiny", pictures=1, scenes=0)
