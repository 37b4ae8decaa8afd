"""What benchmarks find: figures with their goals, as a table, as JSON and as a chart."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self
from xml.sax.saxutils import escape

from rich.table import Table


@dataclass(frozen=True)
class Goal:
    """How good a figure has to be, and how good it would be nice to have it."""

    bound: float
    aim: float | None = None
    more_is_better: bool = True

    def gain(self, value: float) -> float:
        """How many times better than the bound; 1 and more reaches it."""
        worse, better = (self.bound, value) if self.more_is_better else (value, self.bound)
        return better / worse if worse else math.inf


@dataclass(frozen=True)
class Figure:
    """One measured number."""

    measure: str
    value: float
    unit: str = ""
    goal: Goal | None = None
    details: dict[str, Any] = field(default_factory=dict)
    """What else was seen on the way."""

    @classmethod
    def read(cls, saved: dict[str, Any]) -> Self:
        """From its JSON."""
        goal = Goal(**saved["goal"]) if saved["goal"] else None
        return cls(saved["measure"], saved["value"], saved["unit"], goal, saved["details"])

    @property
    def is_reached(self) -> bool | None:
        """Whether the goal's bound is; None without a goal."""
        return None if self.goal is None else self.goal.gain(self.value) >= 1

    def text(self, number: float) -> str:
        """A number of this figure's kind, with three digits and its unit."""
        return f"{number:.3g}{'' if self.unit in {'', 'x', '%'} else ' '}{self.unit}"


def table(figures: Sequence[Figure], title: str) -> Table:
    """For a terminal."""
    made = Table(title=title, title_justify="left")
    for name in ("measure", "measured", "required", "aim", "reached"):
        made.add_column(name, justify="left" if name == "measure" else "right")
    for figure in figures:
        required = aim = reached = ""
        if figure.goal:
            sign = "≥" if figure.goal.more_is_better else "≤"
            required = f"{sign} {figure.text(figure.goal.bound)}"
            aim = figure.text(figure.goal.aim) if figure.goal.aim is not None else ""
            reached = "yes" if figure.is_reached else "NO"
        made.add_row(figure.measure, figure.text(figure.value), required, aim, reached)
    return made


def document(figures: Sequence[Figure], machine: dict[str, Any]) -> dict[str, Any]:
    """For JSON."""
    return {"machine": machine, "figures": [asdict(figure) | {"reached": figure.is_reached} for figure in figures]}


WIDTH, LABELS, ROW = 900, 440, 26
"""Of the chart, in pixels: all of it, the space for the measures' names, and a line's height."""
OCTAVES = 3
"""Gains from 1/8 to 8 are drawn to scale; what lies outside ends at the edge."""


def chart(figures: Sequence[Figure]) -> str:
    """An SVG with a bar for each figure that has a goal: how many times better, or worse, than required."""
    drawn = [(figure, figure.goal) for figure in figures if figure.goal]
    height = ROW * len(drawn) + 40
    middle, octave = LABELS + (WIDTH - LABELS) / 2, (WIDTH - LABELS - 140) / 2 / OCTAVES
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
    ]
    for power in range(-OCTAVES, OCTAVES + 1):
        x = middle + power * octave
        color = "#444" if power == 0 else "#ddd"
        lines.append(f'<path d="M{x:.1f} 26V{height - 8}" stroke="{color}"/>')
        mark = "required" if power == 0 else f"{2**power}x" if power > 0 else f"1/{2**-power}"
        lines.append(f'<text x="{x:.1f}" y="18" text-anchor="middle" fill="#666">{mark}</text>')
    for row, (figure, goal) in enumerate(drawn):
        y = 34 + ROW * row
        gain = max(-OCTAVES, min(OCTAVES, math.log2(max(goal.gain(figure.value), 2.0**-OCTAVES))))
        left, right = sorted((middle, middle + gain * octave))
        color = "#2f855a" if figure.is_reached else "#c53030"
        lines += [
            f'<text x="{LABELS - 10}" y="{y + 13}" text-anchor="end" fill="#222">{escape(figure.measure)}</text>',
            f'<rect x="{left:.1f}" y="{y}" width="{max(1.0, right - left):.1f}" height="17" fill="{color}"/>',
            f'<text x="{right + 5:.1f}" y="{y + 13}" fill="#222">{escape(figure.text(figure.value))}</text>',
        ]
    return "\n".join([*lines, "</svg>\n"])
