"""The engines there are, and pictures for them."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from realtime.engine import Engine
from realtime.engine_onnxruntime import OnnxRuntimeEngine
from realtime.engine_openvino import OpenVinoEngine

ENGINES = {"onnxruntime": OnnxRuntimeEngine, "openvino": OpenVinoEngine}

Opener = Callable[..., Engine]


def picture_of(width: int, height: int, seed: int = 1) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
