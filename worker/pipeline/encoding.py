"""A model's image encoder as all threads share it: calls merged into batches, features remembered."""

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from worker.pipeline.batching import Batcher, BatchLimits
from worker.pipeline.cache import Cache

logger = logging.getLogger(__name__)

Encode = Callable[[Tensor], Tensor]
"""From (b, …) pixels to (b, …) features."""


class FeatureStore(Protocol):
    """Where workers leave features for each other."""

    def load(self, name: str) -> bytes | None:
        """What was saved under the name, by any worker; None where nothing was, or it can't be reached."""
        ...

    def save(self, name: str, data: bytes) -> None:
        """Leave it for the others; where that fails, they go without."""
        ...


def _bytes(features: Tensor) -> int:
    return features.nbytes


@dataclass(frozen=True)
class Memory:
    """What the encoders of a process remember, and where they share it."""

    cache: Cache[Tensor] = field(default_factory=lambda: Cache("image_features", 0, _bytes))
    store: FeatureStore | None = None

    @classmethod
    def of(cls, maximum_bytes: int, store: FeatureStore | None = None) -> "Memory":
        """For features of so many bytes in this process."""
        return cls(Cache("image_features", maximum_bytes, _bytes), store)

    @property
    def remembers(self) -> bool:
        """Whether anything is kept at all: else nobody need know which picture it is."""
        return self.cache.maximum_bytes > 0 or self.store is not None

    def private(self) -> "Memory":
        """The same, but for what is larger than the picture: it stays in this process."""
        return Memory(self.cache)


class Encoder:
    """Called as the encoder itself is, with one picture: (1, …) pixels in, (1, …) features out."""

    def __init__(
        self,
        encode: Encode,
        stage: str,
        model: str,
        *,
        memory: Memory | None = None,
        limits: BatchLimits | None = None,
    ) -> None:
        """`model` names the very weights and their precision: features of others never pass for these.

        `stage` is whose encoder it is. Where the memory has a store, features are left there, too, as float16.
        """
        self._model = model
        self._memory = memory or Memory()
        self._encode = encode
        self.batcher: Batcher[Tensor, Tensor] = Batcher(self._encode_all, limits or BatchLimits(), stage, _shape)

    def __call__(self, pixels: Tensor) -> Tensor:
        """The picture's features: remembered, or computed with those of other threads."""
        if not self._memory.remembers:
            return self.batcher(pixels)
        # Of what the model sees, so that no caller has to say which picture it is, and none can say so wrongly.
        digest = hashlib.sha256(pixels.contiguous().numpy(force=True).data).hexdigest()[:32]
        name = f"{self._model}/{'x'.join(map(str, pixels.shape))}-{digest}"
        return self._memory.cache.get(name, lambda: self._find(name, pixels))

    def _find(self, name: str, pixels: Tensor) -> Tensor:
        store = self._memory.store
        if store and (data := store.load(name)) is not None:
            try:
                return load(data)["features"].to(pixels.device, torch.float32)
            except (SafetensorError, KeyError) as error:
                logger.warning("features %s are broken, and computed again: %s", name, error)
        features = self.batcher(pixels)
        if store:
            store.save(name, save({"features": features.half().cpu().contiguous()}))
        return features

    @torch.inference_mode()
    def _encode_all(self, pictures: Sequence[Tensor]) -> list[Tensor]:
        if len(pictures) == 1:
            return [self._encode(pictures[0])]
        # Each its own memory: a view would keep the whole batch's alive in the cache.
        return [features[None].clone() for features in self._encode(torch.cat(list(pictures))).unbind(0)]


def _shape(pixels: Tensor) -> torch.Size:
    return pixels.shape
