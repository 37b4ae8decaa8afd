"""Pictures given to transformers' image processors."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import (
    CLIPImageProcessor,
    GroundingDinoImageProcessor,
    Owlv2ImageProcessor,
    SiglipImageProcessor,
)

from worker.pipeline.hugging_face import processed

SMALL = {"height": 32, "width": 32}
PROCESSORS: dict[str, Callable[[], Any]] = {
    "clip": lambda: CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=SMALL),
    "siglip": lambda: SiglipImageProcessor(size=SMALL),
    "grounding-dino": lambda: GroundingDinoImageProcessor(
        size={"shortest_edge": 32, "longest_edge": 48}, pad_size={"height": 48, "width": 48}
    ),
    "owlv2": lambda: Owlv2ImageProcessor(size=SMALL),
}


@pytest.mark.parametrize("kind", PROCESSORS)
@pytest.mark.parametrize("size", [(90, 60), (61, 97), (3, 40), (40, 3), (3, 3)])
def test_planes_give_exactly_what_the_picture_gives(kind: str, size: tuple[int, int]) -> None:
    """Every number of the batch; also where three pixels could pass for three channels."""
    processor = PROCESSORS[kind]()
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8))
    expected = processor(images=image, return_tensors="pt")
    got = processed(processor, image, torch.device("cpu"))
    assert got.keys() == expected.keys()
    for name, values in expected.items():
        assert torch.equal(got[name], values), name
