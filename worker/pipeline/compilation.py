"""An encoder that PyTorch compiles, where a race shows that this is faster."""

import logging
import statistics
import threading
import time
from collections.abc import Callable

import torch
from torch import Tensor

from worker.pipeline.encoding import Encode

logger = logging.getLogger(__name__)

ROUNDS = 5
LEAST_GAIN = 1.05
"""Less is noise, and not worth a second way of computing the same."""


class Compiled:
    """Called as the encoder itself is; threads may share it.

    The first call, a worker's warm-up, compiles for pictures of that very shape and races the outcome against the
    encoder as it is. Without a compiler, or where nothing is won, the encoder stays as it is. PyTorch keeps what it
    compiled in `TORCHINDUCTOR_CACHE_DIR`, for the next start.
    """

    def __init__(self, encode: Encode, name: str, clock: Callable[[], float] = time.perf_counter) -> None:
        self._encode, self._name, self._clock = encode, name, clock
        self._faster: Encode | None = None
        self._shape = torch.Size()
        self._lock = threading.Lock()

    def __call__(self, pixels: Tensor) -> Tensor:
        """From (b, …) pixels to (b, …) features."""
        with self._lock:
            if self._faster is None:
                self._shape = pixels.shape
                self._faster = self._race(pixels)
        # Another shape, such as a batch's, would be compiled now, while a job waits.
        encode = self._faster if pixels.shape == self._shape else self._encode
        return encode(pixels)

    def _race(self, pixels: Tensor) -> Encode:
        # Imported here: the compiler takes seconds to load, and is wanted by few.
        from torch._dynamo.exc import TorchDynamoException  # noqa: PLC0415 - as said above

        compiled: Encode = torch.compile(self._encode, dynamic=False)
        began = self._clock()
        try:
            compiled(pixels)
        except (TorchDynamoException, RuntimeError) as error:
            logger.warning("%s can't be compiled, and stays as it is: %s", self._name, str(error).partition("\n")[0])
            return self._encode
        took = self._clock() - began
        rounds = [(self._seconds(self._encode, pixels), self._seconds(compiled, pixels)) for _ in range(ROUNDS)]
        gain = statistics.median(before / after for before, after in rounds)
        wins = gain >= LEAST_GAIN
        verdict = "is used" if wins else "is not used"
        logger.info("%s was compiled in %.0f s, takes 1/%.2f of the time, and %s", self._name, took, gain, verdict)
        return compiled if wins else self._encode

    def _seconds(self, encode: Encode, pixels: Tensor) -> float:
        began = self._clock()
        encode(pixels)
        if pixels.is_cuda:
            torch.cuda.synchronize(pixels.device)
        return self._clock() - began
