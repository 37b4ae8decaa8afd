"""The bundled models, loaded once."""

from pathlib import Path

import pytest
import torch
from PIL import Image

import mainmask
from worker.pipeline.pipeline import Pipeline

SAMPLE = Path(mainmask.__file__).parent / "sample"


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
