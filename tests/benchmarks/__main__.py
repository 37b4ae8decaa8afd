"""`python -m tests.benchmarks`: measures, prints a table, and saves it as JSON and as a chart."""

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from tests.benchmarks import batches, questions, submissions, throughput
from tests.benchmarks.figures import Figure, chart, document, table
from tests.benchmarks.machine import description
from tests.benchmarks.scale import FULL, SMOKE, Scale

Benchmark = Callable[[Scale], list[Figure]]

BENCHMARKS: dict[str, Benchmark] = {
    "speed": questions.speed,
    "outputs": questions.outputs,
    "batches": batches.batches,
    "machinery": throughput.machinery,
    "models": throughput.bundled_models,
    "table": throughput.full_table,
    "api": lambda scale: submissions.figures(scale.requests, scale.rounds, scale.finished_jobs),
}
"""Each on its own: one at a time has the machine."""


def main() -> int:
    """Exit code 0, also where a goal is not reached: what was measured is the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; none: all")
    parser.add_argument("--smoke", action="store_true", help="a little of everything: does it run?")
    parser.add_argument("--json", type=Path, default=Path("docs/performance.json"), help="what is known is kept")
    parser.add_argument("--chart", type=Path, default=Path("docs/pictures/performance.svg"))
    for name in ("pictures", "rounds", "jobs", "finished-jobs"):
        parser.add_argument(f"--{name}", type=int, help="instead of the usual number")
    parser.add_argument("--memory-jobs", type=int, help="instead of 10,000")
    options = parser.parse_args()
    if unknown := set(options.names) - BENCHMARKS.keys():
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(BENCHMARKS)}")
    found = _measure({name: BENCHMARKS[name] for name in options.names or BENCHMARKS}, _scale(options))
    if options.smoke:
        return 0
    known = json.loads(options.json.read_text()) if options.json.exists() else {}
    _save(options, {**known, **found})
    return 0


def _scale(options: argparse.Namespace) -> Scale:
    usual = SMOKE if options.smoke else FULL
    named = ("pictures", "rounds", "jobs", "finished_jobs")
    changed = {name: getattr(options, name) for name in named if getattr(options, name) is not None}
    if options.memory_jobs is not None:
        changed["memory_jobs"] = (usual.memory_jobs[0], options.memory_jobs)
    return replace(usual, **changed)


def _measure(benchmarks: Mapping[str, Benchmark], scale: Scale) -> dict[str, object]:
    console = Console(width=None if sys.stdout.isatty() else 130)
    found: dict[str, object] = {}
    for name, benchmark in benchmarks.items():
        machine = description()
        figures = benchmark(scale)
        console.print(table(figures, f"{name}, at a load of {machine['load']}"))
        found[name] = document(figures, machine)
    return found


def _save(options: argparse.Namespace, found: Mapping[str, Any]) -> None:
    in_order = {name: found[name] for name in BENCHMARKS if name in found}
    options.json.write_text(json.dumps(in_order, indent=2) + "\n")
    figures = [Figure.read(saved) for each in in_order.values() for saved in each["figures"]]
    options.chart.write_text(chart(figures))


if __name__ == "__main__":
    sys.exit(main())
