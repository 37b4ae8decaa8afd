"""An encoder that is compiled, where a race shows that this is faster."""

import logging
import statistics
import threading
import time
from collections.abc import Callable, Mapping
from operator import itemgetter

import torch
from torch import Tensor

from worker.pipeline.encoding import Encode
from worker.pipeline.openvino_encoder import OpenVinoEncoder, is_at_hand

logger = logging.getLogger(__name__)

ROUNDS = 5
LEAST_GAIN = 1.05
"""Less is noise, and not worth a second way of computing the same."""


def _by_pytorch(encode: Encode, _pixels: Tensor) -> Encode:
    compiled: Encode = torch.compile(encode, dynamic=False)
    return compiled


def _by_openvino(encode: Encode, pixels: Tensor) -> Encode | None:
    return OpenVinoEncoder(encode, pixels) if is_at_hand(pixels) else None


COMPILERS: Mapping[str, Callable[[Encode, Tensor], Encode | None]] = {
    "PyTorch": _by_pytorch,
    "OpenVINO": _by_openvino,
}
"""What they give, for pixels of this shape; None where they aren't there. The first call may be slow."""


class Compiled:
    """Called as the encoder itself is; threads may share it.

    The first call, a worker's warm-up, compiles for pictures of that very shape, by PyTorch and, where it is installed,
    by OpenVINO, and races the outcomes against the encoder as it is. Without a compiler, or where nothing is won, the
    encoder stays as it is. PyTorch keeps what it compiled in `TORCHINDUCTOR_CACHE_DIR`, for the next start.
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
        contestants = [found for compiler in COMPILERS if (found := self._contestant(compiler, pixels))]
        gain, compiler, fastest = max(contestants, key=itemgetter(0), default=(0.0, "", self._encode))
        if gain < LEAST_GAIN:
            logger.info("%s stays as it is: nothing that was compiled is faster", self._name)
            return self._encode
        logger.info("%s is computed as %s compiled it, in 1/%.2f of the time", self._name, compiler, gain)
        return fastest

    def _contestant(self, compiler: str, pixels: Tensor) -> tuple[float, str, Encode] | None:
        """How many times faster it is, as the median of some rounds; None where the compiler isn't there, or fails."""
        try:
            compiled = COMPILERS[compiler](self._encode, pixels)
            if compiled is None:
                return None
            compiled(pixels)
        except Exception as error:  # noqa: BLE001 - compilers fail in all kinds of ways, and a worker starts without
            logger.warning("%s can't be compiled by %s: %s", self._name, compiler, str(error).partition("\n")[0])
            return None
        rounds = [(self._seconds(self._encode, pixels), self._seconds(compiled, pixels)) for _ in range(ROUNDS)]
        gain = statistics.median(before / after for before, after in rounds)
        logger.info("%s takes 1/%.2f of the time as %s compiles it", self._name, gain, compiler)
        return gain, compiler, compiled

    def _seconds(self, encode: Encode, pixels: Tensor) -> float:
        began = self._clock()
        encode(pixels)
        if pixels.is_cuda:
            torch.cuda.synchronize(pixels.device)
        return self._clock() - began
