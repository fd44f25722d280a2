"""Make smaller variants of an exported model: int8 for processors without bf16, float16 for graphics processors.

Both by ONNX Runtime's own tools; the result is verified like any other model (`verify.py`).
"""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quant_pre_process, quantize_static
from onnxruntime.quantization.onnx_model import ONNXModel
from onnxruntime.transformers.float16 import convert_float_to_float16

from export.graph import INPUT_NAME
from realtime.engine_onnxruntime import PRECISION_KEY

CALIBRATION_PICTURES = 40


def to_int8(model: bytes, photographs: Sequence[NDArray[np.uint8]]) -> bytes:
    """Quantise inputs and weights of all convolutions, calibrated on photographs (H, W, 3), sides multiples of 8.

    The outputs of the convolutions stay in float: the instance norm after each would amplify their rounding. Weights
    have 7 bits, since processors with AVX2 but without VNNI add products in 16 bits that saturate at 8 bits. PSNR
    against float32 on 20 photographs that were not among the 40: 45.6 dB for the starry night, 45.0 for metzinger, on
    AVX2 and VNNI alike; with 8 bits 0.2 more on VNNI but 8 dB less on AVX2. Ranges are the mean over the photographs of
    their extremes: 3 dB above the extremes of all. NNCF 3.4 reaches 45.5 and 44.9 at the same speed, for six more
    dependencies, one of them telemetry.
    """
    onnxruntime.disable_telemetry_events()
    with tempfile.TemporaryDirectory() as folder:
        source, prepared, target = (Path(folder) / name for name in ("source.onnx", "prepared.onnx", "int8.onnx"))
        source.write_bytes(model)
        quant_pre_process(source, prepared, skip_optimization=True, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            target,
            _Photographs(photographs[:CALIBRATION_PICTURES]),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            extra_options={"OpTypesToExcludeOutputQuantization": ["Conv"], "CalibMovingAverage": True},
        )
        return _with_precision(onnx.load(target), "int8")


def to_float16(model: bytes) -> bytes:
    """Compute in float16 between the bytes that go in and come out."""
    # Without a list of its own the converter keeps Resize in float32, which ONNX does not require since opset 13.
    converted = convert_float_to_float16(onnx.load_from_string(model), op_block_list=[])
    sorted_model = ONNXModel(converted)
    sorted_model.topological_sort()  # the converter appends its casts at the end (ONNX Runtime 1.31)
    return _with_precision(sorted_model.model, "fp16")


def store_as_float16(model: bytes) -> bytes:
    """Store the float32 weights as float16 with a cast behind each: half the file, the same computation.

    Raises:
        ValueError: a weight is no float16 number; round the network before the export (`round_to_float16`).
    """
    graph = (loaded := onnx.load_from_string(model)).graph
    casts = []
    for tensor in list(graph.initializer):
        weights = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or weights.ndim == 0:
            continue
        halves = weights.astype(np.float16)
        if not np.array_equal(halves.astype(np.float32), weights):
            raise ValueError(f"the weights {tensor.name} are not rounded to float16")
        stored = f"{tensor.name}_float16"
        graph.initializer.remove(tensor)
        graph.initializer.append(numpy_helper.from_array(halves, stored))
        casts.append(helper.make_node("Cast", [stored], [tensor.name], to=TensorProto.FLOAT))
    for cast in reversed(casts):
        graph.node.insert(0, cast)
    onnx.checker.check_model(loaded, full_check=True)
    return bytes(loaded.SerializeToString())


class _Photographs(CalibrationDataReader):  # type: ignore[misc]  # the library has no types
    def __init__(self, photographs: Sequence[NDArray[np.uint8]]) -> None:
        self._rest: Iterator[NDArray[np.uint8]] = iter(photographs)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        photograph = next(self._rest, None)
        return None if photograph is None else {INPUT_NAME: photograph[np.newaxis]}


def _with_precision(model: Any, precision: str) -> bytes:
    """Note the precision where the engines look for it, and return the checked model."""
    helper.set_model_props(model, {PRECISION_KEY: precision})
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())
