"""How much of everything a run of the benchmarks does."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Scale:
    """Counts of a run."""

    profile: str
    """Of the models whose speed is measured."""
    pictures: int
    """That the reference is asked about, which takes it half a minute each, and as many questions about one of them."""
    scenes: int
    """Composed ones, for answers; 0: the pictures instead, and no art is needed."""
    rounds: int
    """Of what is measured in turn."""
    jobs: int
    """A round, with fake models."""
    timed_jobs: int
    """With the bundled models, one after another."""
    memory_jobs: tuple[int, int]
    """With the bundled models: after so many, and after so many in all, the memory is read."""
    finished_jobs: int
    """In a full table."""
    requests: int
    """Uploads a round."""
    art: Path = Path(".data/tiny")
    """Where the art of the scenes is kept, or fetched to."""


FULL = Scale(
    profile="base",
    pictures=5,
    scenes=200,
    rounds=5,
    jobs=200,
    timed_jobs=50,
    memory_jobs=(500, 10_000),
    finished_jobs=1_000_000,
    requests=256,
)
SMOKE = Scale(
    profile="tiny",
    pictures=1,
    scenes=0,
    rounds=1,
    jobs=20,
    timed_jobs=2,
    memory_jobs=(8, 16),
    finished_jobs=1000,
    requests=64,
)
"""Seconds each: it shows that they run, and its numbers say nothing."""
