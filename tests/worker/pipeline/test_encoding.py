"""Encoders that merge calls and remember features."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from worker.pipeline.batching import BatchLimits
from worker.pipeline.encoding import Encoder, Memory


@dataclass
class Store:
    """Features in a dictionary."""

    saved: dict[str, bytes] = field(default_factory=dict)

    def load(self, name: str) -> bytes | None:
        return self.saved.get(name)

    def save(self, name: str, data: bytes) -> None:
        self.saved[name] = data


@dataclass
class Model:
    """The mean of each picture; counts its calls."""

    calls: list[int] = field(default_factory=list)

    def __call__(self, pixels: Tensor) -> Tensor:
        self.calls.append(len(pixels))
        return pixels.mean((1, 2, 3))[:, None]


@pytest.fixture
def model() -> Model:
    """A fresh one."""
    return Model()


def picture(value: float) -> Tensor:
    """Of one colour."""
    return torch.full((1, 3, 4, 4), float(value))


def test_the_same_pixels_are_encoded_once(model: Model) -> None:
    """And other ones, or the same bytes in another shape, are not taken for them."""
    encoder = Encoder(model, "test", "m", memory=Memory.of(1000))
    assert encoder(picture(1)) == encoder(picture(1)) == 1
    assert encoder(picture(2)) == 2
    encoder(picture(1).view(1, 3, 2, 8))
    assert model.calls == [1, 1, 1]


def test_without_memory_everything_is_encoded(model: Model) -> None:
    """The default: nothing is kept."""
    encoder = Encoder(model, "test", "m")
    encoder(picture(1))
    encoder(picture(1))
    assert model.calls == [1, 1]


def test_threads_share_a_call(model: Model) -> None:
    """And get what each would have got alone."""
    encoder = Encoder(model, "test", "m", limits=BatchLimits(size=4, wait_seconds=5))
    with ThreadPoolExecutor(4) as threads:
        features = list(threads.map(lambda value: encoder(picture(value)), range(4)))
    assert [each.item() for each in features] == [0, 1, 2, 3]
    assert model.calls == [4]


def test_workers_share_what_they_have_encoded(model: Model) -> None:
    """A second process, with a memory of its own, finds the features in the store, in float16."""
    store = Store()
    first = Encoder(model, "test", "m", memory=Memory.of(1000, store))
    second = Encoder(model, "test", "m", memory=Memory.of(1000, store))
    torch.testing.assert_close(second(picture(0.1)), first(picture(0.1)), rtol=1e-3, atol=1e-3)
    assert model.calls == [1]
    # Other weights, or another precision, are another model.
    Encoder(model, "test", "other", memory=Memory.of(1000, store))(picture(0.1))
    assert model.calls == [1, 1]


def test_what_is_not_to_be_shared_stays_here(model: Model) -> None:
    """Features that are larger than their picture don't pay."""
    store = Store()
    Encoder(model, "test", "m", memory=Memory.of(1000, store).private())(picture(1))
    assert store.saved == {}


def test_broken_features_are_computed_again(model: Model) -> None:
    """Half an object in the store costs time, and nothing else."""
    store = Store()
    Encoder(model, "test", "m", memory=Memory.of(0, store))(picture(1))
    store.saved = {name: data[:-1] for name, data in store.saved.items()}
    assert Encoder(model, "test", "m", memory=Memory.of(0, store))(picture(1)) == 1
    assert model.calls == [1, 1]
