"""An encoder as OpenVINO computes it: the same weights by another compiler's kernels, for CPUs."""

import os
import threading
import warnings
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from worker.pipeline.encoding import Encode


def is_at_hand(pixels: Tensor) -> bool:
    """Whether OpenVINO is installed, and these pixels are on a CPU."""
    return pixels.device.type == "cpu" and find_spec("openvino") is not None


class OpenVinoEncoder:
    """Called as the encoder itself is, with pixels of one shape; threads may share it."""

    def __init__(self, encode: Encode, pixels: Tensor) -> None:
        """Convert and compile for pixels of this shape; raises whatever OpenVINO does where it can't."""
        import openvino  # noqa: PLC0415 - an extra, which takes a while to load

        threads = torch.get_num_threads()
        options = {
            # As exact as without it, also on CPUs for which it would choose bfloat16.
            "INFERENCE_PRECISION_HINT": "f32",
            # Calls run side by side, each with as many threads as PyTorch would take for it.
            "NUM_STREAMS": str(max(1, (os.cpu_count() or 1) // threads)),
            "INFERENCE_NUM_THREADS": str(os.cpu_count() or 1),
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it traces, by a way that PyTorch means to give up
            converted = openvino.convert_model(_Module(encode), example_input=pixels, input=list(pixels.shape))
        self._compiled: Any = openvino.Core().compile_model(converted, "CPU", options)
        self._own = threading.local()

    def __call__(self, pixels: Tensor) -> Tensor:
        """From (b, …) pixels to (b, …) features."""
        if not hasattr(self._own, "request"):
            self._own.request = self._compiled.create_infer_request()
        features = self._own.request.infer([pixels.numpy()])[0]
        return torch.from_numpy(np.array(features))  # a copy: the request uses its memory again


class _Module(nn.Module):
    """What a converter takes."""

    def __init__(self, encode: Encode) -> None:
        super().__init__()
        self._encode = encode

    def forward(self, pixels: Tensor) -> Tensor:
        return self._encode(pixels)
