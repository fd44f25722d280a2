"""ONNX Runtime as an engine: CPU, CUDA, TensorRT, CoreML and DirectML."""

import contextlib
import ctypes
import io
import os
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import EngineError, StyleError
from .graph import FEED_FORWARD, GraphContract, Port

_PROVIDER_OF_DEVICE = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
}
_FIX_OF_DEVICE = {
    "cuda": "install an NVIDIA driver and the CUDA 13 libraries: pip install 'onnxruntime-gpu[cuda,cudnn]'",
    "tensorrt": "install an NVIDIA driver, CUDA 13 and TensorRT: pip install 'onnxruntime-gpu[cuda,cudnn]' tensorrt",
    "coreml": "it exists on macOS only: pip install onnxruntime",
    "directml": "it exists on Windows only: pip uninstall onnxruntime-gpu && pip install onnxruntime-directml",
}
# The key in a model's metadata under which the export notes a precision other than fp32.
PRECISION_KEY = "precision"


def built_in_devices() -> list[str]:
    """Return the devices that the installed ONNX Runtime was built for; whether they work shows only in a session."""
    try:
        import onnxruntime
    except ImportError:
        return []
    providers = onnxruntime.get_available_providers()
    return [device for device, provider in _PROVIDER_OF_DEVICE.items() if provider in providers]


def nvidia_driver_is_present() -> bool:
    """Return whether the library that every NVIDIA driver installs can be loaded: without it CUDA need not be tried."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


def import_onnxruntime() -> ModuleType:
    """Import ONNX Runtime, silent and without its telemetry.

    Raises:
        EngineError: it is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise EngineError(
            f"ONNX Runtime cannot be loaded ({error}); install it: pip install onnxruntime-gpu "
            "(without an NVIDIA GPU: onnxruntime)"
        ) from error
    onnxruntime.disable_telemetry_events()
    onnxruntime.set_default_logger_severity(4)  # its warnings would tear the progress bar; failures are raised
    return onnxruntime  # type: ignore[no-any-return]  # the library has no types


def session_options(onnxruntime: ModuleType, *, threads: int | None = None) -> Any:
    """Return options by which a session uses as many threads, or all cores; one is the thread that calls it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or os.cpu_count() or 1
    return options


class OnnxRuntimeEngine:
    """Run a model in ONNX Runtime on `device`, and on nothing else.

    Raises:
        EngineError: the library is missing, was built without the device, or the device does not start.
        StyleError: the model is not of the contract.
    """

    def __init__(self, model: bytes, device: str, contract: GraphContract = FEED_FORWARD) -> None:
        onnxruntime = import_onnxruntime()
        provider = _PROVIDER_OF_DEVICE[device]
        if provider not in onnxruntime.get_available_providers():
            raise EngineError(f"ONNX Runtime here has no {provider} for --device {device}; {_FIX_OF_DEVICE[device]}")
        missing = _preload_cuda(onnxruntime) if device in ("cuda", "tensorrt") else ""
        options = session_options(onnxruntime)
        try:
            # Without enable_fallback=0 a failing TensorRT prints a banner to standard output and goes on with the CPU.
            session = onnxruntime.InferenceSession(model, options, providers=[provider], enable_fallback=0)
        except Exception as error:  # the library raises its own, undocumented classes
            if device == "cpu":
                raise StyleError(f"ONNX Runtime cannot load the style: {first_line(error)}") from error
            raise EngineError(
                f"{provider} does not start: {missing or first_line(error)}; {_FIX_OF_DEVICE[device]}"
            ) from error
        # ONNX Runtime falls back to the CPU with no more than a warning.
        if session.get_providers()[0] != provider:
            cause = f" ({missing})" if missing else ""
            raise EngineError(f"{provider} does not start on this machine{cause}; {_FIX_OF_DEVICE.get(device, '')}")
        self.device = device
        self.reason = ""
        precision = session.get_modelmeta().custom_metadata_map.get(PRECISION_KEY, "fp32")
        self.description = f"ONNX Runtime {onnxruntime.__version__}, {device}, {precision}"
        self.workers = 1
        self._session: Any = session
        self._picture_name = contract.require(_ports(session.get_inputs()), _ports(session.get_outputs()))

    def infer(self, rgb: NDArray[np.uint8], extra: Mapping[str, NDArray[np.float32]] | None = None) -> NDArray[Any]:
        try:
            output: NDArray[Any] = self._session.run(None, {self._picture_name: rgb[np.newaxis], **(extra or {})})[0][0]
        except Exception as error:  # the library raises its own, undocumented classes
            raise StyleError(f"ONNX Runtime cannot run the style: {first_line(error)}") from error
        return output

    def close(self) -> None:
        self._session = None


def _ports(items: list[Any]) -> list[Port]:
    """Return ports of a session; names and None stand for lengths that may change."""
    elements = {"tensor(float)": "float32"}
    return [
        Port(
            item.name,
            elements.get(item.type, item.type.removeprefix("tensor(").removesuffix(")")),
            tuple(length if isinstance(length, int) else None for length in item.shape),
        )
        for item in items
    ]


def _preload_cuda(onnxruntime: Any) -> str:
    """Load the CUDA libraries of pip's packages; return the first that is missing, which ONNX Runtime only prints."""
    if not nvidia_driver_is_present():
        return "no NVIDIA driver: libcuda cannot be loaded"
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        onnxruntime.preload_dlls()
    return next((line for line in printed.getvalue().splitlines() if "Failed to load" in line), "")


def first_line(error: Exception) -> str:
    """Return the first line of a message of the library, which is all that people can use."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
