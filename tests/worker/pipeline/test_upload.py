"""Pictures on their way to the device."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from PIL import Image
from segment_anything.utils.transforms import ResizeLongestSide
from transformers import CLIPImageProcessor, GroundingDinoImageProcessor, SiglipImageProcessor

from worker.pipeline import upload
from worker.pipeline.hugging_face import processed

CPU, META, CUDA = torch.device("cpu"), torch.device("meta"), torch.device("cuda", 0)


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    """A picture in which no two pixels are alike."""
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(values)


def test_planes_are_the_pictures_own_bytes() -> None:
    """Red, green and blue, row by row."""
    image = noise(7, 5)
    planes = upload.planes_of(image)
    assert planes.dtype == torch.uint8
    assert np.array_equal(planes.permute(1, 2, 0).numpy(), np.asarray(image))
    assert torch.equal(upload.upload(planes, CPU), planes)


@pytest.mark.parametrize("processor", [CLIPImageProcessor, SiglipImageProcessor, GroundingDinoImageProcessor])
def test_the_device_resizes_and_normalises(processor: Callable[[], Any]) -> None:
    """Once a picture is there nothing comes back: a "meta" tensor has no bytes that could."""
    batch = processed(processor(), noise(64, 48), META)
    assert {tensor.device for tensor in batch.values()} == {META}


@pytest.mark.parametrize("size", [(upload.LARGEST_SIDE + 1, 100), (256, 16_384)])
def test_the_host_makes_large_pictures_smaller(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what the model sees goes to the device."""
    send = Mock(side_effect=upload.upload)
    monkeypatch.setattr("worker.pipeline.hugging_face.upload", send)
    image = Image.new("RGB", size)
    batch = processed(SiglipImageProcessor(), image, META)
    assert {tensor.device for tensor in batch.values()} == {META}
    assert send.call_args.args[1] == CPU
    assert upload.where_resized(image.size, META) == CPU
    assert upload.resized(image, ResizeLongestSide(64), META).device == META


@pytest.mark.parametrize("size", [(640, 480), (97, 300), (40, 30), (5, 64)])
def test_sam_is_shown_what_the_original_shows_it(size: tuple[int, int]) -> None:
    """To the bit by a CPU, and give or take one by a device that resizes itself, which holds on to the picture."""
    image, transform = noise(*size), ResizeLongestSide(64)
    expected = torch.from_numpy(transform.apply_image(np.asarray(image))).permute(2, 0, 1)
    assert torch.equal(upload.resized(image, transform, CPU), expected)
    ours = upload.shrunk(upload.planes_of(image), (expected.shape[1], expected.shape[2]))
    assert (ours.int() - expected.int()).abs().max() <= 1
    there = upload.resized(image, transform, META)
    assert (there.device, there.shape, there.dtype) == (META, expected.shape, torch.uint8)


def test_a_gpu_is_sent_pictures_beside_its_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """From pinned memory, on a stream of their own, which the kernels wait for; the allocator hears of both."""
    steps: list[str] = []
    kernels, copies, arrived, planes = Mock(), Mock(), Mock(), Mock()

    @contextmanager
    def on(stream: object) -> Iterator[None]:
        assert stream is copies
        steps.append("copies")
        yield
        steps.append("kernels")

    def send(device: torch.device, *, non_blocking: bool) -> Mock:
        assert (device, non_blocking) == (CUDA, True)
        steps.append("sent")
        return arrived

    planes.pin_memory.return_value.to = send
    kernels.wait_stream = Mock(side_effect=lambda _: steps.append("waits"))
    monkeypatch.setattr(upload, "_copies", Mock(return_value=copies))
    monkeypatch.setattr(torch.cuda, "stream", on)
    monkeypatch.setattr(torch.cuda, "current_stream", Mock(return_value=kernels))
    assert upload.upload(planes, CUDA) is arrived
    assert steps == ["copies", "sent", "kernels", "waits"]
    kernels.wait_stream.assert_called_once_with(copies)
    arrived.record_stream.assert_called_once_with(kernels)


@pytest.mark.gpu
def test_every_picture_arrives_whole() -> None:
    """However many are on their way, and whatever the device does meanwhile."""

    def is_whole(seed: int) -> bool:
        planes = upload.planes_of(noise(640, 480, seed))
        there = upload.upload(planes, CUDA)
        sums = there.long().sum((1, 2))
        del there  # its memory is free for the next copy
        return torch.equal(sums.cpu(), planes.long().sum((1, 2)))

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(is_whole, range(200)))


@pytest.mark.gpu
def test_a_gpu_resizes_as_a_cpu_does() -> None:
    """Give or take one."""
    image, transform = noise(640, 480), ResizeLongestSide(256)
    here, there = (upload.resized(image, transform, device).cpu().int() for device in (CPU, CUDA))
    assert (here - there).abs().max() <= 1
