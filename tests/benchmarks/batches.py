"""What batches gain on the device at hand: one call of several pictures against as many calls of one."""

import statistics
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from db.states import StageName
from tests.benchmarks.base_models import base_models
from tests.benchmarks.figures import Figure
from tests.benchmarks.scale import Scale
from worker.pipeline.encoding import Encoder
from worker.pipeline.execution import Execution
from worker.pipeline.model_files import ModelFolder
from worker.pipeline.pipeline import Pipeline

SIZES = (2, 4, 8)


def batches(scale: Scale) -> list[Figure]:
    """Of each stage's image encoder, on the device and in the precision that a worker takes; rounds in turn."""
    torch.set_num_threads(1)
    folder = ModelFolder(Path()) if scale.profile == "tiny" else base_models()
    execution = Execution.choose()
    pipeline = Pipeline.load(scale.profile, models_dir=folder.root, execution=execution)
    encoders = {name: _encoder(pipeline, name) for name in StageName}
    shown = {name: _recorded(encoder) for name, encoder in encoders.items()}
    pipeline.warm_up()
    return [
        _figure(name, size, encoders[name], shown[name][0], min(3, scale.rounds))
        for name in StageName
        for size in (SIZES if execution.device.type != "cpu" else SIZES[:1])
    ]


def _encoder(pipeline: Pipeline, name: StageName) -> Encoder:
    stages: dict[StageName, Any] = {
        StageName.CLASSIFY: pipeline.classifier,
        StageName.DETECT: pipeline.detector,
        StageName.SEGMENT: pipeline.segmenter,
    }
    stage = stages[name]
    encoder = stage._model.encode if name is StageName.DETECT else getattr(stage, "inner", stage).encode
    assert isinstance(encoder, Encoder)
    return encoder


def _recorded(encoder: Encoder) -> list[Tensor]:
    """Gathers what the encoder is shown: pictures as its model wants them."""
    shown: list[Tensor] = []
    encode = encoder._encode

    def recording(pixels: Tensor) -> Tensor:
        shown.append(pixels)
        return encode(pixels)

    encoder._encode = recording
    return shown


def _figure(name: StageName, size: int, encoder: Encoder, pixels: Tensor, rounds: int) -> Figure:
    together, one = partial(_seconds, encoder, [pixels] * size, size), partial(_seconds, encoder, [pixels] * size, 1)
    together()  # the first one is the slowest
    ratios = [one() / together() for _ in range(rounds)]
    measure = f"{name}: pictures a second in batches of {size}, over one by one"
    return Figure(measure, statistics.median(ratios), "x", None, {"device": str(pixels.device), "rounds": rounds})


def _seconds(encoder: Encoder, pictures: Sequence[Tensor], size: int) -> float:
    """Of encoding them all, so many a call."""
    began = time.perf_counter()
    for first in range(0, len(pictures), size):
        encoder._encode_all(pictures[first : first + size])
    if pictures[0].is_cuda:
        torch.cuda.synchronize(pictures[0].device)
    return time.perf_counter() - began
