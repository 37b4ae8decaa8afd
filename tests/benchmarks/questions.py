"""The pipeline against the reference: the same weights and pictures, asked in turn in a process each."""

import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from db.profiles import chosen
from tests.benchmarks.base_models import base_models
from tests.benchmarks.contest import Answer, Contest, Question, Side
from tests.benchmarks.figures import Figure, Goal
from tests.benchmarks.pictures import LABELS, pictures
from tests.benchmarks.scale import Scale
from worker.evaluation.measures import mask_iou
from worker.pipeline.execution import DTYPES, Execution
from worker.pipeline.model_files import ModelFolder
from worker.tiny.evaluation import as_file, held_out_scenes, names_in

MEBIBYTE = 1 << 20


def speed(scale: Scale) -> list[Figure]:
    """Base-size models: distinct pictures, new words about a known picture, and the process's memory."""
    folder = ModelFolder(Path()) if scale.profile == "tiny" else base_models()
    with ExitStack() as cleanup:
        contest = Contest(
            cleanup,
            reference=Side(scale.profile, folder.root, is_reference=True),
            ours=Side(scale.profile, folder.root),
        )
        first, *others = pictures(scale.pictures + 1)
        contest.ask(Question(first, LABELS))  # the slowest call of all
        distinct = [contest.ask(Question(data, LABELS)) for data in others]
        again = [contest.ask(Question(first, (f"thing {number}", *LABELS))) for number in range(scale.pictures)]
        peak = contest.peak_bytes("ours")
    weights = sum(folder.find(checkpoint).weights.stat().st_size for checkpoint in chosen(scale.profile).values())
    execution = Execution.choose("cpu")
    dtype = next(name for name, dtype in DTYPES.items() if dtype == execution.dtype)
    return [
        Figure(
            "distinct images: over the reference",
            _speed_up(distinct),
            "x",
            Goal(2.5, 4),
            {"profile": scale.profile, "dtype": dtype, **_details(distinct)},
        ),
        Figure("the same image, new words", _speed_up(again), "x", Goal(4, 10), _details(again)),
        Figure(
            "peak memory of a worker process over its weights",
            peak / weights,
            "x",
            Goal(2.0, 1.5, more_is_better=False),
            {"peak_mib": peak // MEBIBYTE, "weights_mib": weights // MEBIBYTE},
        ),
    ]


def outputs(scale: Scale) -> list[Figure]:
    """The bundled models: whether labels and masks stay those of the reference."""
    ours = Side("tiny", Path())
    questions = [Question(data, LABELS) for data in pictures(scale.pictures)]
    if scale.scenes:
        scenes = held_out_scenes(scale.art, scale.scenes, trained_styles=True)
        questions = [Question(as_file(scene), tuple(names_in(scene))) for scene in scenes]
    with ExitStack() as cleanup:
        contest = Contest(
            cleanup,
            reference=replace(ours, is_reference=True),
            ours=ours,
            # Also where the machine has no instructions for it, and would take float32.
            halved=replace(ours, narrowest=1, dtype="bfloat16"),
        )
        answers = [contest.ask(question) for question in questions]
    figures = []
    for side, remark in (("ours", ""), ("halved", ", every layer in half precision")):
        same = [each for each in answers if each[side].label == each["reference"].label]
        ious = [mask_iou(each[side].mask, each["reference"].mask) for each in same]
        details = {"scenes": len(answers), "least_iou": min(ious), "below_0.99": sum(iou < 0.99 for iou in ious)}
        figures += [
            Figure(f"mask IoU with the reference, mean{remark}", statistics.mean(ious), "", Goal(0.99), details),
            Figure(f"the reference's label chosen{remark}", 100 * len(same) / len(answers), "%", Goal(99)),
        ]
    return figures


def _speed_up(rounds: Sequence[dict[str, Answer]]) -> float:
    return statistics.median(each["reference"].total / each["ours"].total for each in rounds)


def _details(rounds: Sequence[dict[str, Answer]]) -> dict[str, Any]:
    ratios = [each["reference"].total / each["ours"].total for each in rounds]
    in_processor = [each["reference"].processor_seconds / each["ours"].processor_seconds for each in rounds]
    return {
        "least": min(ratios),
        "most": max(ratios),
        "in_processor_time": statistics.median(in_processor),
        "seconds": _medians(rounds),
    }


def _medians(rounds: Sequence[dict[str, Answer]]) -> dict[str, dict[str, float]]:
    """Of the seconds of each step, by side."""
    return {
        side: {
            step: round(statistics.median(each[side].seconds[step] for each in rounds), 4)
            for step in rounds[0][side].seconds
        }
        for side in rounds[0]
    }
