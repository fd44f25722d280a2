"""OpenVINO as an engine: Intel (and other x86 and Arm) processors, and Intel GPUs."""

import importlib
import os
import queue
import sys
import threading
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import EngineError, StyleError
from .graph import FEED_FORWARD, GraphContract, Port

_OPENVINO_DEVICE = {"cpu": "CPU", "intel-gpu": "GPU"}
# Models compiled for a size are kept for the last sizes seen: a file has one, a governor moves among a few.
_SIZES_KEPT = 2


def import_openvino() -> ModuleType:
    """Import OpenVINO without its telemetry: `import openvino` (2026.4) sends an event unless that package is missing.

    Raises:
        EngineError: OpenVINO is not installed.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None makes its import fail
    try:
        return importlib.import_module("openvino")
    except ImportError as error:
        raise EngineError(f"OpenVINO cannot be loaded ({error}); install it: pip install openvino") from error


def processor_prefers_int8() -> bool:
    """Return whether int8 is the fastest that this processor has: OpenVINO would otherwise compute in float32."""
    core = import_openvino().Core()
    return _precision(core, "CPU") == "float32" and "INT8" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")


class OpenVinoEngine:
    """Run a model in OpenVINO, compiled for each size it meets: static shapes are faster and do not grow memory.

    The precision is OpenVINO's own choice: bf16 on processors with AMX, float32 elsewhere; int8 if the model is
    quantised.

    Raises:
        EngineError: the library or device is missing.
        StyleError: the model is not of the contract.
    """

    def __init__(self, model: bytes, device: str, contract: GraphContract = FEED_FORWARD) -> None:
        openvino: Any = import_openvino()
        self._openvino = openvino
        self._core: Any = openvino.Core()
        self._device = _OPENVINO_DEVICE[device]
        if not any(name.split(".")[0] == self._device for name in self._core.available_devices):
            found = ", ".join(self._core.available_devices)
            raise EngineError(
                f"OpenVINO finds no {self._device} for --device {device}, only {found}; "
                "install Intel's GPU driver (Debian, Ubuntu: apt install intel-opencl-icd)"
            )
        self._model_bytes = model
        self._compiled: dict[tuple[int, int], _CompiledModel] = {}
        self._compiling = threading.Lock()
        self._last_size = (0, 0)
        graph = self._read()
        self._picture_name = contract.require(_ports(graph.inputs), _ports(graph.outputs))
        quantised = any(operation.get_type_name() == "FakeQuantize" for operation in graph.get_ops())
        precision = "int8" if quantised else _precision(self._core, self._device)
        self.device = device
        self.reason = ""
        self.description = f"OpenVINO {openvino.__version__.split('-')[0]}, {device}, {precision}"
        self.workers = min(2, os.cpu_count() or 1)

    def infer(self, rgb: NDArray[np.uint8], extra: Mapping[str, NDArray[np.float32]] | None = None) -> NDArray[Any]:
        try:
            return self._compiled_for(rgb.shape[0], rgb.shape[1]).infer(rgb, extra or {})
        except RuntimeError as error:
            raise StyleError(f"OpenVINO cannot run the style: {str(error).strip().splitlines()[-1]}") from error

    def close(self) -> None:
        self._compiled.clear()

    def _compiled_for(self, height: int, width: int) -> "_CompiledModel":
        # Without the lock: while a live run prepares another size, its frames go on in the present one.
        compiled = self._compiled.get((height, width))
        if compiled is not None:
            self._last_size = (height, width)
            return compiled
        # The workers of a pipeline meet the first frame together, and one compilation serves them all.
        with self._compiling:
            compiled = self._compiled.get((height, width))
            if compiled is None:
                model = self._read()
                model.reshape({self._picture_name: [1, height, width, 3]})
                while len(self._compiled) >= _SIZES_KEPT:
                    self._compiled.pop(next(size for size in self._compiled if size != self._last_size))
                compiled = _CompiledModel(
                    self._openvino,
                    self._core,
                    model,
                    picture_name=self._picture_name,
                    device=self._device,
                    requests=self.workers,
                )
                self._compiled[height, width] = compiled
            return compiled

    def _read(self) -> Any:
        try:
            return self._core.read_model(self._model_bytes)
        except RuntimeError as error:
            raise StyleError(f"OpenVINO cannot load the style: {str(error).strip().splitlines()[-1]}") from error


def _precision(core: Any, device: str) -> str:
    """Return the precision in which OpenVINO computes by itself, e.g. `bfloat16`."""
    return str(core.get_property(device, "INFERENCE_PRECISION_HINT")).strip("<>").split("'")[1]


class _CompiledModel:
    """A model compiled for one size, with as many requests in flight as there are streams."""

    def __init__(self, openvino: Any, core: Any, model: Any, *, picture_name: str, device: str, requests: int) -> None:
        options = {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": str(requests)}
        compiled = core.compile_model(model, device, options)
        self._tensor = openvino.Tensor
        self._picture_name = picture_name
        self._idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(requests):
            self._idle.put(compiled.create_infer_request())

    def infer(self, rgb: NDArray[np.uint8], extra: Mapping[str, NDArray[np.float32]]) -> NDArray[Any]:
        picture = self._tensor(np.ascontiguousarray(rgb[np.newaxis]))
        request = self._idle.get()
        try:
            request.infer({self._picture_name: picture, **extra}, share_inputs=True)
            output: NDArray[Any] = request.get_output_tensor(0).data[0].copy()
        finally:
            self._idle.put(request)
        return output


def _ports(items: list[Any]) -> list[Port]:
    """Return ports of a model; OpenVINO's names of element types are short (u8, f32)."""
    elements = {"u8": "uint8", "f32": "float32"}
    ports = []
    for item in items:
        element, shape = item.get_element_type().get_type_name(), item.get_partial_shape()
        lengths = () if shape.rank.is_dynamic else shape
        fixed = tuple(None if length.is_dynamic else length.get_length() for length in lengths)
        ports.append(Port(item.get_any_name(), elements.get(element, element), fixed))
    return ports
