"""The figures of an evaluation, as a table for people and as JSON."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from rich.table import Table

from worker.evaluation.evaluator import Outcome
from worker.evaluation.intervals import bootstrap, wilson
from worker.evaluation.measures import average_precision
from worker.pipeline.results import ModelCard


@dataclass(frozen=True)
class Figure:
    """One measure with its 95 % interval."""

    stage: str
    measure: str
    value: float
    low: float
    high: float
    questions: int


def figures(outcomes: Sequence[Outcome]) -> list[Figure]:
    """All measures of these outcomes, one or more."""
    choices = [outcome for outcome in outcomes if outcome.choices > 1 and not outcome.sample.description]
    return [
        *([_share("classify", "main object chosen", [outcome.is_right for outcome in choices])] if choices else []),
        _average_precision(outcomes, 0.5),
        _average_precision(outcomes, 0.75),
        _share("detect", "box IoU ≥ 0.5, given the label", [outcome.box_iou >= 0.5 for outcome in outcomes]),
        _mean("segment", "mean mask IoU, given the box", outcomes, lambda outcome: outcome.mask_iou_in_box),
        _share("whole", "main object right", [outcome.is_right for outcome in outcomes]),
        _share(
            "whole",
            "main object right, and mask IoU ≥ 0.7",
            [outcome.is_right and outcome.mask_iou >= 0.7 for outcome in outcomes],
        ),
        _mean("whole", "mean mask IoU", outcomes, lambda outcome: outcome.mask_iou),
    ]


def _share(stage: str, measure: str, hits: Sequence[bool]) -> Figure:
    return Figure(stage, measure, float(np.mean(hits)), *wilson(sum(hits), len(hits)), len(hits))


def _mean(stage: str, measure: str, outcomes: Sequence[Outcome], of: Callable[[Outcome], float]) -> Figure:
    values = [of(outcome) for outcome in outcomes]
    return Figure(
        stage, measure, float(np.mean(values)), *bootstrap(values, lambda some: float(np.mean(some))), len(values)
    )


def _average_precision(outcomes: Sequence[Outcome], least: float) -> Figure:
    matches = [outcome.matches[least] for outcome in outcomes]
    interval = bootstrap(matches, average_precision)
    return Figure("detect", f"AP at {least}, given the label", average_precision(matches), *interval, len(matches))


def table(found: Sequence[Figure]) -> Table:
    """A row for each figure."""
    shown = Table("stage", "measure", "value", "95 % interval", "questions", box=None, pad_edge=False)
    for figure in found:
        interval = f"{figure.low:.3f} to {figure.high:.3f}"
        shown.add_row(figure.stage, figure.measure, f"{figure.value:.3f}", interval, str(figure.questions))
    return shown


def document(found: Sequence[Figure], outcomes: Sequence[Outcome], cards: Mapping[str, ModelCard]) -> dict[str, Any]:
    """What other programs read: the models, the figures, and what became of each question."""
    return {
        "models": {stage: asdict(card) for stage, card in cards.items()},
        "figures": [asdict(figure) for figure in found],
        "questions": [
            {
                "image": str(outcome.sample.path),
                "description": outcome.sample.description,
                "main_object": outcome.sample.main.label,
                "chosen": outcome.chosen,
                "is_right": outcome.is_right,
                "box_iou": outcome.box_iou,
                "mask_iou_in_box": outcome.mask_iou_in_box,
                "mask_iou": outcome.mask_iou,
            }
            for outcome in outcomes
        ],
    }
