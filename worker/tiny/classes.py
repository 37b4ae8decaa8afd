"""The things that the tiny models know by name."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

DRAWN = "drawn"


@dataclass(frozen=True)
class ObjectClass:
    """One kind of thing: its names (the first is the main one) and the emoji that show it."""

    names: tuple[str, ...]
    code_points: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name that reports and prompts use by default."""
        return self.names[0]

    @property
    def drawn(self) -> bool:
        """Whether no emoji shows it, so that `drawings` does."""
        return not self.code_points


@lru_cache(maxsize=1)
def object_classes() -> tuple[ObjectClass, ...]:
    """Every class of `classes.txt`, in file order; the position is the class's id."""
    lines = Path(__file__).with_name("classes.txt").read_text(encoding="utf-8").splitlines()
    return tuple(_parse(line) for line in lines if line and not line.startswith("#"))


def _parse(line: str) -> ObjectClass:
    names, art = (part.strip() for part in line.split("|"))
    return ObjectClass(
        names=tuple(name.strip() for name in names.split(",")),
        code_points=() if art == DRAWN else tuple(art.split()),
    )
