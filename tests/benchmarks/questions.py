"""The pipeline against the reference: the same weights and pictures, asked in turn in a process each."""

import resource
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from db.profiles import chosen
from db.states import StageName
from tests.benchmarks.base_models import base_models
from tests.benchmarks.figures import Figure, Goal
from tests.benchmarks.pictures import LABELS, pictures
from tests.benchmarks.reference import Reference
from tests.benchmarks.scale import Scale
from worker.evaluation.measures import mask_iou
from worker.pipeline.encoding import Memory
from worker.pipeline.execution import DTYPES, Execution, keep_freed_memory
from worker.pipeline.images import decode
from worker.pipeline.labels import LabelExtractor
from worker.pipeline.linear import SMALLEST
from worker.pipeline.model_files import ModelFolder
from worker.pipeline.pipeline import Pipeline
from worker.tiny.evaluation import as_file, held_out_scenes, names_in

MEMORY_BYTES = 1 << 30
MEBIBYTE = 1 << 20


class System(Protocol):
    """What answers a question in three steps."""

    def classify(self, image: Image.Image, labels: Sequence[str]) -> str:
        """The main object's label."""
        ...

    def detect(self, image: Image.Image, label: str) -> Sequence[float]:
        """The best box, XYXY in pixels, however low its score."""
        ...

    def segment(self, image: Image.Image, box: Sequence[float]) -> NDArray[np.bool_]:
        """The box's mask."""
        ...


class Ours:
    """The pipeline as a worker runs it, with features remembered."""

    def __init__(self, profile: str, folder: ModelFolder, narrowest: int, dtype: str) -> None:
        keep_freed_memory()
        # What a worker process holds besides, so that its memory is all counted.
        import worker.tasks  # noqa: F401, PLC0415 - the other side doesn't

        self._extractor = LabelExtractor()
        execution = replace(Execution.choose("cpu", dtype, memory=Memory.of(MEMORY_BYTES)), narrowest=narrowest)
        self._pipeline = Pipeline.load(profile, models_dir=folder.root, execution=execution)

    def classify(self, image: Image.Image, labels: Sequence[str]) -> str:
        """By the first stage."""
        return self._pipeline.classifier.classify(image, labels).main_object.label

    def detect(self, image: Image.Image, label: str) -> Sequence[float]:
        """By the second."""
        return self._pipeline.detector.detect(image, label, threshold=0.0).boxes[0].box

    def segment(self, image: Image.Image, box: Sequence[float]) -> NDArray[np.bool_]:
        """By the third."""
        left, top, right, bottom = box
        return self._pipeline.segmenter.segment(image, [(left, top, right, bottom)])[0].pixels


@dataclass(frozen=True)
class Question:
    """A picture file, and candidates."""

    data: bytes
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """What came of a question, and how long each step took."""

    label: str
    mask: NDArray[np.bool_]
    seconds: dict[str, float]
    processor_seconds: float
    """Of all steps together: what the processor spent on them, however busy it was with others."""

    @property
    def total(self) -> float:
        """All steps together."""
        return sum(self.seconds.values())


@dataclass(frozen=True)
class Side:
    """Which system, with which models; enough for another process to build it."""

    profile: str
    root: Path
    is_reference: bool = False
    narrowest: int = SMALLEST
    dtype: str = "auto"

    def build(self) -> System:
        """Load the models."""
        folder = ModelFolder(self.root)
        if self.is_reference:
            return Reference(self.profile, folder)
        return Ours(self.profile, folder, self.narrowest, self.dtype)


_system: System


def _load(side: Side) -> None:
    global _system  # noqa: PLW0603 - a process's one system
    torch.set_num_threads(1)
    _system = side.build()


def _answer(question: Question) -> Answer:
    began = time.process_time()
    moments = [time.perf_counter()]
    image = decode(question.data)
    moments.append(time.perf_counter())
    label = _system.classify(image, question.labels)
    moments.append(time.perf_counter())
    box = _system.detect(image, label)
    moments.append(time.perf_counter())
    mask = _system.segment(image, box)
    moments.append(time.perf_counter())
    steps = ("decode", *map(str, StageName))
    seconds = {step: moments[i + 1] - moments[i] for i, step in enumerate(steps)}
    return Answer(label, mask, seconds, time.process_time() - began)


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class Contest:
    """Sides that are asked in turn, each in a process of its own: none gains or loses by another's settings."""

    def __init__(self, cleanup: ExitStack, **sides: Side) -> None:
        start = partial(ProcessPoolExecutor, 1, mp_context=get_context("spawn"), initializer=_load)
        self._processes = {name: cleanup.enter_context(start(initargs=(side,))) for name, side in sides.items()}

    def ask(self, question: Question) -> dict[str, Answer]:
        """Every side's answer, one after another."""
        return {name: process.submit(_answer, question).result() for name, process in self._processes.items()}

    def peak_bytes(self, name: str) -> int:
        """The most memory that the side's process ever held."""
        return self._processes[name].submit(_peak_bytes).result()


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
