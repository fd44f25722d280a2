"""One small interface to what runs a network, and the choice of one: `open_style` and `open_engine`.

An engine runs one graph of a contract of `graph.py`: a style, an any-style model, its encoder, or what finds people.
"""

import sys
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .catalogue import Style, read_model
from .errors import EngineError, StyleError, UsageError
from .graph import FEED_FORWARD, SIZE_MIN_PX, GraphContract


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
ENGINES_OF_DEVICE = {
    "cpu": ("openvino", "onnxruntime"),
    "intel-gpu": ("openvino",),
    "cuda": ("onnxruntime",),
    "tensorrt": ("onnxruntime",),
    "coreml": ("onnxruntime",),
    "directml": ("onnxruntime",),
}


def open_style(
    style: Style,
    *,
    engine: str = "auto",
    device: str = "auto",
    precision: str = "auto",
    contract: GraphContract = FEED_FORWARD,
) -> Engine:
    """Open the style's model in the precision asked for; `auto` lets `open_engine` choose between float32 and int8.

    Raises:
        UsageError: the style has no model of that precision, or the engine does not support the device.
        StyleError: a model is missing or damaged, or not of the contract.
        EngineError: the engine or device asked for cannot be used here.
    """
    if precision in ("auto", "fp32"):
        variant = style.variant("int8") if precision == "auto" else None
        int8 = read_model(variant) if variant else None
        return open_engine(read_model(style), int8=int8, engine=engine, device=device, contract=contract)
    chosen = style.variant(precision)
    if chosen is None:
        raise UsageError(f"style {style.name} has no {precision} model; leave --precision out, or use fp32")
    return open_engine(read_model(chosen), engine=engine, device=device, contract=contract)


def open_engine(
    model: bytes,
    *,
    int8: bytes | None = None,
    engine: str = "auto",
    device: str = "auto",
    contract: GraphContract = FEED_FORWARD,
) -> Engine:
    """Load `model` (ONNX) on the engine and device asked for; `auto` takes the first that really loads.

    `int8` is the same style quantised, which replaces `model` where OpenVINO runs on a processor without bf16: there it
    takes less than half the time with VNNI, 60 % with AVX2 alone. ONNX Runtime (1.31) takes 1.5 times as long with it.

    Raises:
        UsageError: the engine does not support the device.
        StyleError: the model is not of the contract.
        EngineError: the engine or device asked for cannot be used here; names each that was tried, and the fix.
    """
    candidates = _candidates(engine, device)
    failures: list[str] = []
    for engine_name, device_name in candidates:
        try:
            suited = int8 if int8 is not None and _prefers_int8(engine_name, device_name) else model
            opened = _opener(engine_name)(suited, device_name, contract)
            if device == "auto" and device_name != "cpu" and not contract.extra_inputs:
                _try_out(opened)
        except EngineError as error:
            failures.append(str(error))
            continue
        if "auto" in (engine, device):
            opened.reason = _reason(device, opened.device, failures)
        return opened
    raise EngineError("; ".join(failures))


def _try_out(engine: Engine) -> None:
    """Run one small picture: what loads on an accelerator may fail with the first one.

    Raises:
        EngineError: it fails.
    """
    try:
        engine.infer(np.zeros((SIZE_MIN_PX, SIZE_MIN_PX, 3), np.uint8))
    except StyleError as error:
        engine.close()
        raise EngineError(f"{engine.description} fails with a picture: {error}") from error


def _reason(asked_device: str, device: str, failures: list[str]) -> str:
    if failures:
        return f"auto, since {'; '.join(failures)}"
    if asked_device == "auto" and device == "cpu":
        return "auto: no accelerator found that ONNX Runtime here could use"
    return f"auto: first choice for {device}"


def _candidates(engine: str, device: str) -> list[tuple[str, str]]:
    devices = [*_accelerators_to_try(), "cpu"] if device == "auto" else [device]
    pairs = [(name, place) for place in devices for name in ENGINES_OF_DEVICE[place] if engine in ("auto", name)]
    if not pairs:
        raise UsageError(
            f"--engine {engine} does not run on --device {device}; use {' or '.join(ENGINES_OF_DEVICE[device])}"
        )
    return pairs


def _accelerators_to_try() -> list[str]:
    """Return the devices that `auto` prefers to the processor: the library was built for them and they may be there.

    CoreML is none of them: it takes graphs of any size in many pieces, slower than the processor, where it takes them.
    """
    from .engine_onnxruntime import built_in_devices, nvidia_driver_is_present

    wanted = {"darwin": [], "win32": ["cuda", "directml"]}.get(sys.platform, ["cuda"])
    if not nvidia_driver_is_present():
        wanted = [device for device in wanted if device != "cuda"]
    built_in = built_in_devices() if wanted else []
    return [device for device in wanted if device in built_in]


def _prefers_int8(engine_name: str, device: str) -> bool:
    if (engine_name, device) != ("openvino", "cpu"):
        return False
    from .engine_openvino import processor_prefers_int8

    return processor_prefers_int8()


def _opener(engine_name: str) -> Callable[[bytes, str, GraphContract], Engine]:
    if engine_name == "openvino":
        from .engine_openvino import OpenVinoEngine

        return OpenVinoEngine
    from .engine_onnxruntime import OnnxRuntimeEngine

    return OnnxRuntimeEngine
