"""Run any exported graph on the engines for processors, to compare them with torch.

`realtime.engine` runs styles only, picture to picture; an any-style model has graphs of other inputs and outputs.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from realtime.engine_openvino import import_openvino

Tensor = NDArray[Any]
Inputs = Mapping[str, Tensor]
Run = Callable[[Inputs], Tensor]


def runners(model: bytes) -> Iterator[tuple[str, bool, Run]]:
    """Yield name, whether it computes in float32 by itself, and the function from named inputs to the first output."""
    yield f"ONNX Runtime {onnxruntime.__version__}, cpu", True, _onnxruntime(model)
    openvino = import_openvino()
    version = openvino.__version__.split("-")[0]
    yield f"OpenVINO {version}, cpu, float32", True, _openvino(model, {"INFERENCE_PRECISION_HINT": "f32"})
    if _computes_in_bf16(openvino.Core()):
        yield f"OpenVINO {version}, cpu, bfloat16", False, _openvino(model, {"INFERENCE_PRECISION_HINT": "bf16"})


def processor() -> str:
    """Return what the figures of a card are measured on: cores, model, and whether it computes in bf16."""
    core = import_openvino().Core()
    reduced = ", bf16" if _computes_in_bf16(core) else ""
    return f"{os.cpu_count()} cores of {core.get_property('CPU', 'FULL_DEVICE_NAME').strip()}{reduced}"


def _computes_in_bf16(core: Any) -> bool:
    return "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _onnxruntime(model: bytes) -> Run:
    onnxruntime.disable_telemetry_events()
    session: Any = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return lambda inputs: np.asarray(session.run(None, dict(inputs))[0])


def _openvino(model: bytes, options: dict[str, str]) -> Run:
    core = import_openvino().Core()

    def run(inputs: Inputs) -> Tensor:
        # Compiled for the shapes of the inputs, as the engine does it.
        read = core.read_model(model)
        read.reshape({name: list(value.shape) for name, value in inputs.items()})
        return np.array(core.compile_model(read, "CPU", options)(dict(inputs))[0])

    return run
