"""Tiny ONNX style models for the tests: one node each, by the graph contract unless a test asks for a wrong one."""

from typing import Any

from onnx import TensorProto, helper

OPSET = 18
# The oldest IR version that goes with the opset: every engine reads it.
IR_VERSION = 9
FRAME_SHAPE = (1, "height", "width", 3)


def identity_model() -> bytes:
    """Return the style that changes nothing."""
    return one_node_model("Identity")


def invert_model() -> bytes:
    """Return the style 255 - x."""
    return one_node_model("BitwiseNot")


def one_node_model(
    operator: str,
    *,
    element: int = TensorProto.UINT8,
    shape: tuple[Any, ...] | None = FRAME_SHAPE,
    inputs: tuple[str, ...] = ("frame",),
    outputs: tuple[str, ...] = ("stylized",),
    attributes: dict[str, int] | None = None,
) -> bytes:
    """Return a model of one node whose inputs and outputs all have the same element type and shape."""
    graph = helper.make_graph(
        [helper.make_node(operator, list(inputs), list(outputs), **(attributes or {}))],
        operator,
        [helper.make_tensor_value_info(name, element, shape) for name in inputs],
        [helper.make_tensor_value_info(name, element, shape) for name in outputs],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    return bytes(model.SerializeToString())
