"""`python -m tests.benchmarks.model_memory base|large`: memory and seconds of a profile at full size, on the CPU.

The weights are random: neither figure depends on what they say. Gigabytes of disk, minutes.
"""

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import torch
from PIL import Image

from db.profiles import chosen
from tests.worker.pipeline.published import publish
from worker.pipeline.checkpoints import Loader
from worker.pipeline.execution import Execution
from worker.pipeline.model_files import ModelFolder
from worker.pipeline.pipeline import Pipeline

SAMPLE = Path(__file__).parents[2] / "mainmask" / "sample" / "snowboard.jpg"
Answer = TypeVar("Answer")
LABELS = ["snowboard", "man", "tree"]


def measure(profile: str, root: Path) -> None:
    """In a fresh process, whose peak is its own."""
    torch.set_num_threads(1)
    loader = Loader(ModelFolder(root), Execution.choose("cpu"))
    _say("with PyTorch, no model", lambda: None)
    pipeline = _say("loaded", lambda: Pipeline.of(chosen(profile), loader.load))
    image = Image.open(SAMPLE).convert("RGB")
    _say("classify", lambda: pipeline.classifier.classify(image, LABELS))
    _say("detect", lambda: pipeline.detector.detect(image, LABELS[0]))
    _say("segment", lambda: pipeline.segmenter.segment(image, [(100.0, 90.0, 500.0, 400.0)]))


def _say(what: str, do: Callable[[], Answer]) -> Answer:
    begin = time.perf_counter()
    answer = do()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{what:24} {time.perf_counter() - begin:6.1f} s, peak so far {peak:5.2f} GB", flush=True)
    return answer


def main() -> None:
    """Publish, then measure: each in a process of its own."""
    profile = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        for checkpoint in chosen(profile).values():
            _apart(partial(publish, small=False), checkpoint.name, Path(folder))
        _apart(measure, profile, Path(folder))


def _apart(do: Callable[..., object], name: str, root: Path) -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        process.submit(do, name, root).result()


if __name__ == "__main__":
    main()
