"""The bundled models and the local extractor, loaded once."""

from pathlib import Path

import pytest
import torch
from PIL import Image

import mainmask
from worker.pipeline.labels import LabelExtractor
from worker.pipeline.pipeline import Pipeline

SAMPLE = Path(mainmask.__file__).parent / "sample"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """What is marked `gpu` is skipped, and says so, where there is none."""
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("no CUDA device")


@pytest.fixture(scope="session")
def pipeline() -> Pipeline:
    """The tiny profile on the CPU."""
    torch.set_num_threads(1)
    return Pipeline.load("tiny", "cpu")


@pytest.fixture(scope="session")
def sample() -> Image.Image:
    """The sample picture: a snowboard in the snow, and a man."""
    return Image.open(SAMPLE / "snowboard.jpg").convert("RGB")


@pytest.fixture(scope="session")
def truth() -> Image.Image:
    """The snowboard's true mask."""
    return Image.open(SAMPLE / "snowboard-mask.png").convert("1")


@pytest.fixture(scope="session")
def extractor() -> LabelExtractor:
    """It takes seconds to build and keeps no state."""
    return LabelExtractor()
