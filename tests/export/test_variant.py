"""The smaller variants do what the model does, on both engines, and say in which precision they compute."""

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

torch = pytest.importorskip("torch", reason="the export needs torch: pip install stylecast[train]")

from export.adain import round_to_float16  # noqa: E402
from export.graph import INPUT_NAME, export_onnx, run_uint8  # noqa: E402
from export.variant import CALIBRATION_PICTURES, store_as_float16, to_float16, to_int8  # noqa: E402
from export.verify import SIZES, picture_cases, verify  # noqa: E402
from realtime.engine import open_engine  # noqa: E402
from training.network import SlimNetwork  # noqa: E402

Picture = NDArray[np.uint8]


@pytest.fixture(scope="module")
def int8(model: bytes, smooth_pictures: list[Picture]) -> bytes:
    return to_int8(model, smooth_pictures[:8])


def test_int8_is_close_on_pictures_that_it_was_not_calibrated_on(
    network: SlimNetwork, int8: bytes, smooth_pictures: list[Picture]
) -> None:
    cases = picture_cases(lambda frames: run_uint8(network, frames), INPUT_NAME, {(72, 56): smooth_pictures[-1]})

    assert all(parity.psnr_db > 32 for parity in verify(int8, cases, precision="int8"))


def test_int8_quantises_what_goes_into_every_convolution_and_nothing_that_comes_out(int8: bytes) -> None:
    graph = onnx.load_from_string(int8).graph
    makers = {output: node.op_type for node in graph.node for output in node.output}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    readers = [node.op_type for node in graph.node if {item.output[0] for item in convolutions} & set(node.input)]

    assert len(convolutions) == 15
    assert {makers[name] for node in convolutions for name in node.input[:2]} == {"DequantizeLinear"}
    assert "QuantizeLinear" not in readers


def test_int8_weights_leave_a_bit_for_processors_that_add_in_16_bits(int8: bytes) -> None:
    weights = [
        numpy_helper.to_array(tensor)
        for tensor in onnx.load_from_string(int8).graph.initializer
        if tensor.data_type == onnx.TensorProto.INT8 and len(tensor.dims) == 4
    ]

    assert len(weights) == 15
    assert max(int(np.abs(tensor.astype(int)).max()) for tensor in weights) <= 64


def test_only_so_many_photographs_are_looked_at(model: bytes, smooth_pictures: list[Picture]) -> None:
    class NoMore(list):  # type: ignore[type-arg]
        def __getitem__(self, index: object) -> list[Picture]:
            assert index == slice(None, CALIBRATION_PICTURES)
            return smooth_pictures[:1]

    assert to_int8(model, NoMore())


@pytest.mark.parametrize(("engine", "precision"), [("onnxruntime", "int8"), ("openvino", "int8")])
def test_engines_say_that_a_model_is_int8(engine: str, precision: str, int8: bytes) -> None:
    assert open_engine(int8, engine=engine, device="cpu").description.endswith(f"cpu, {precision}")


def test_float16_is_close_and_half_the_size(network: SlimNetwork, model: bytes, smooth_pictures: list[Picture]) -> None:
    half = to_float16(model)
    pictures = {(width, height): smooth_pictures[0][:height, :width] for width, height in SIZES[:2]}

    verify(half, picture_cases(lambda frames: run_uint8(network, frames), INPUT_NAME, pictures), precision="fp16")

    assert len(half) < 0.55 * len(model)
    assert open_engine(half, engine="onnxruntime", device="cpu").description.endswith("cpu, fp16")


def test_weights_stored_as_float16_compute_as_before(network: SlimNetwork, smooth_pictures: list[Picture]) -> None:
    rounded = SlimNetwork()
    rounded.load_state_dict(network.state_dict())
    round_to_float16(rounded)
    plain = export_onnx(rounded.eval())

    stored = store_as_float16(plain)

    assert len(stored) < 0.55 * len(plain)
    one, other = (open_engine(item, engine="onnxruntime", device="cpu") for item in (plain, stored))
    assert np.array_equal(one.infer(smooth_pictures[0]), other.infer(smooth_pictures[0]))


def test_weights_that_would_change_are_not_stored_as_float16(model: bytes) -> None:
    with pytest.raises(ValueError, match=r"the weights \S+ are not rounded to float16"):
        store_as_float16(model)
