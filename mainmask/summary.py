"""A job's result in a few lines, for people."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from mainmask.jobs import Box, Instance, Job, Result, Stage

NAME_WIDTH = 15

Row = tuple[str, str]


def print_summary(console: Console, job: Job, files: Sequence[Path], facts: Mapping[str, str] | None = None) -> None:
    """Print what was found, where, how long it took, and where the files are; `facts` are the caller's own rows."""
    if job.result is None:
        return
    for line in _headline(job.result):
        console.print(line, soft_wrap=True, highlight=False)
    for name, value in _rows(job, files, facts or {}):
        console.print(Text(f"  {name:<{NAME_WIDTH}}", style="dim").append(value, style="not dim"), soft_wrap=True)


def _headline(result: Result) -> Iterator[Text]:
    main = result.main_object
    if main is None:
        yield Text("None of the candidates is in the picture.", style="yellow")
        return
    line = Text("The main object is ").append(main.label, style="bold green").append(f" (score {main.score:.2f})")
    yield line.append("." if result.found else ", but it was not found in the picture.")
    if not result.found and result.explanation:
        yield Text(result.explanation, style="yellow")
        return
    other = next((candidate for candidate in result.candidates if candidate.label != main.label), None)
    if main.ambiguous and other:
        yield Text(f"A close call, so don't rely on it: {other.label} has {other.score:.2f}.", style="yellow")


def _rows(job: Job, files: Sequence[Path], facts: Mapping[str, str]) -> Iterator[Row]:
    instances = job.result.instances if job.result else ()
    for number, instance in enumerate(instances, start=1):
        yield (f"{number}. box" if len(instances) > 1 else "box", _box(instance.box))
        yield "mask", _mask(instance)
    yield from facts.items()
    if job.reused_from:
        yield "time", f"none: it is the answer of job {job.reused_from}, which asked the same"
    else:
        yield "time", " · ".join(f"{stage.name} {time_of(stage)}" for stage in job.stages)
    for name, file in zip(["files", *[""] * len(files)], files, strict=False):
        yield name, str(file)


def time_of(stage: Stage) -> str:
    """How long the stage took, or what it is doing if it has not ended."""
    return stage.status if stage.duration_ms is None else f"{stage.duration_ms:.0f} ms"


def _box(box: Box) -> str:
    left, top, right, bottom = box
    return f"({left:.0f}, {top:.0f}) to ({right:.0f}, {bottom:.0f})"


def _mask(instance: Instance) -> str:
    return f"{instance.area:,} pixels, predicted IoU {instance.predicted_iou:.2f}"
