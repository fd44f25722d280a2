"""One small interface to what runs a network, and the choice of one: `open_engine`.

An engine runs one graph of a contract of `graph.py`: a style, an any-style model or its encoder.
"""

import sys
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .errors import EngineError, UsageError
from .graph import FEED_FORWARD, GraphContract


class Engine(Protocol):
    """Runs one model on one device. `tests/contract/test_engine.py` holds every engine to this.

    `description` names engine, device and precision for people; `reason` says why it was picked where that was left to
    us, and is empty where it was asked for. `workers` threads may call `infer` at once and gain
    from it.
    """

    description: str
    reason: str
    device: str
    workers: int

    def infer(self, rgb: NDArray[np.uint8], extra: Mapping[str, NDArray[np.float32]] | None = None) -> NDArray[Any]:
        """Run the graph on one picture (H, W, 3) and return its output in a new array; any thread may call it.

        `extra` are the graph's other inputs by name, exactly as the contract says. The output comes without its leading
        axis of length 1: a picture of the same shape, or an encoder's statistics (2, N).
        """
        ...

    def close(self) -> None:
        """Free the model; may be called twice. `infer` must not be called afterwards."""
        ...


# What can run on which device, in the order in which it is tried.
_ENGINES_OF_DEVICE = {
    "cpu": ("openvino", "onnxruntime"),
    "intel-gpu": ("openvino",),
    "cuda": ("onnxruntime",),
    "tensorrt": ("onnxruntime",),
    "coreml": ("onnxruntime",),
    "directml": ("onnxruntime",),
}


def open_engine(
    model: bytes, *, engine: str = "auto", device: str = "auto", contract: GraphContract = FEED_FORWARD
) -> Engine:
    """Load `model` (ONNX) on the engine and device asked for; `auto` takes the first that really loads.

    Raises:
        UsageError: the engine does not support the device.
        StyleError: the model is not of the contract.
        EngineError: the engine or device asked for cannot be used here; names each that was tried, and the fix.
    """
    candidates = _candidates(engine, device)
    failures: list[str] = []
    for engine_name, device_name in candidates:
        try:
            opened = _opener(engine_name)(model, device_name, contract)
        except EngineError as error:
            failures.append(str(error))
            continue
        if "auto" in (engine, device):
            opened.reason = _reason(device, opened.device, failures)
        return opened
    raise EngineError("; ".join(failures))


def _reason(asked_device: str, device: str, failures: list[str]) -> str:
    if failures:
        return f"auto, since {'; '.join(failures)}"
    if asked_device == "auto" and device == "cpu":
        return "auto: no accelerator found that ONNX Runtime here could use"
    return f"auto: first choice for {device}"


def _candidates(engine: str, device: str) -> list[tuple[str, str]]:
    devices = [*_accelerators_to_try(), "cpu"] if device == "auto" else [device]
    pairs = [(name, place) for place in devices for name in _ENGINES_OF_DEVICE[place] if engine in ("auto", name)]
    if not pairs:
        raise UsageError(
            f"--engine {engine} does not run on --device {device}; use {' or '.join(_ENGINES_OF_DEVICE[device])}"
        )
    return pairs


def _accelerators_to_try() -> list[str]:
    """Return the devices that `auto` prefers to the processor: the library was built for them and they may be there."""
    from .engine_onnxruntime import built_in_devices, nvidia_driver_is_present

    wanted = {"darwin": ["coreml"], "win32": ["cuda", "directml"]}.get(sys.platform, ["cuda"])
    if not nvidia_driver_is_present():
        wanted = [device for device in wanted if device != "cuda"]
    built_in = built_in_devices() if wanted else []
    return [device for device in wanted if device in built_in]


def _opener(engine_name: str) -> Callable[[bytes, str, GraphContract], Engine]:
    if engine_name == "openvino":
        from .engine_openvino import OpenVinoEngine

        return OpenVinoEngine
    from .engine_onnxruntime import OnnxRuntimeEngine

    return OnnxRuntimeEngine
