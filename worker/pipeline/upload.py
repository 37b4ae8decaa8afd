"""Pictures on their way to the device that models run on."""

from functools import cache

import cv2
import numpy as np
import torch
from PIL import Image
from segment_anything.utils.transforms import ResizeLongestSide
from torch import Tensor
from torchvision.transforms.functional import resize

CPU = torch.device("cpu")
LARGEST_SIDE = 4096
"""Of pictures that a GPU makes smaller itself, in pixels. Of larger ones there would be more bytes to copy than of what
the model sees, four bytes a value in its memory, and, for the smallest models, a wider filter than its kernels take."""


def planes_of(image: Image.Image) -> Tensor:
    """The (3, height, width) uint8 planes of an RGB picture, in the host's memory."""
    planes = np.empty((3, image.height, image.width), np.uint8)
    cv2.split(np.asarray(image), list(planes))
    return torch.from_numpy(planes)


def upload(planes: Tensor, device: torch.device) -> Tensor:
    """The same on the device, ready for what its current stream does next.

    To a GPU it goes from pinned memory, on a stream of its own: beside the kernels of other jobs, not behind them.
    """
    if device.type != "cuda":
        return planes.to(device)
    copies = _copies(device)
    with torch.cuda.stream(copies):
        arrived = planes.pin_memory().to(device, non_blocking=True)
    kernels = torch.cuda.current_stream(device)
    kernels.wait_stream(copies)
    # The allocator knows only the stream it was asked on: it would give the memory to the next copy too early.
    arrived.record_stream(kernels)
    return arrived


@cache
def _copies(device: torch.device) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call] # torch gives its constructor no types


def where_resized(size: tuple[int, int], device: torch.device) -> torch.device:
    """Where a picture of this width and height is made smaller: on the device, or by the host before it goes there."""
    return device if max(size) <= LARGEST_SIDE else CPU


def resized(image: Image.Image, transform: ResizeLongestSide, device: torch.device) -> Tensor:
    """The (3, height, width) uint8 planes, on the device, of an RGB picture as large as SAM looks at it.

    By the host with Pillow, to the bit as the original package has it. Another device rounds some values to the
    neighbour.
    """
    if where_resized(image.size, device).type == "cpu":
        return upload(torch.from_numpy(transform.apply_image(np.asarray(image))).permute(2, 0, 1), device)
    shape = transform.get_preprocess_shape(image.height, image.width, transform.target_length)
    return shrunk(upload(planes_of(image), device), shape)


def shrunk(planes: Tensor, shape: tuple[int, int]) -> Tensor:
    """(3, height, width) uint8 planes in another shape, as Pillow's bilinear filter has them, give or take 1."""
    made: Tensor = resize(planes, list(shape), antialias=True)
    return made
