"""Who answers questions, us or the reference: asked in turn, in a process each."""

import resource
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from db.states import StageName
from tests.benchmarks.reference import Reference
from worker.pipeline.encoding import Memory
from worker.pipeline.execution import Execution, keep_freed_memory
from worker.pipeline.images import decode
from worker.pipeline.labels import LabelExtractor
from worker.pipeline.linear import SMALLEST
from worker.pipeline.model_files import ModelFolder
from worker.pipeline.pipeline import Pipeline

MEMORY_BYTES = 1 << 30


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
