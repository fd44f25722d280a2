"""Tiny ONNX style models for the tests, by the graph contract unless a test asks for a wrong one.

The feed-forward ones have one node; the any-style pair moves the mean and the standard deviation of each colour.
"""

from typing import Any

from onnx import TensorProto, helper, parser

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


def people_model() -> bytes:
    """Return the network that takes red for people: the mask is the first channel."""
    return _parsed(f"""{_HEADER} people (uint8[1, height, width, 3] x) => (uint8[1, height, width, 1] mask) {{
        begin = Constant <value_ints = [0]> ()
        end = Constant <value_ints = [1]> ()
        axis = Constant <value_ints = [3]> ()
        mask = Slice (x, begin, end, axis)
    }}""")


_HEADER = f'<ir_version: {IR_VERSION}, opset_import: ["": {OPSET}]>'
# Mean and standard deviation of each colour of the picture `x`, as (1, 1, 1, 3).
_STATISTICS = """
    pixels = Cast <to = 1> (x)
    area = Constant <value_ints = [1, 2]> ()
    mean = ReduceMean <keepdims = 1> (pixels, area)
    centred = Sub (pixels, mean)
    squared = Mul (centred, centred)
    variance = ReduceMean <keepdims = 1> (squared, area)
    deviation = Sqrt (variance)
"""


def encoder_model() -> bytes:
    """Return the encoder of the any-style pair: the mean and standard deviation of each colour, in grey levels."""
    return _parsed(f"""{_HEADER} encoder (uint8[1, height, width, 3] x) => (float[1, 2, 3] statistics) {{
        {_STATISTICS}
        both = Concat <axis = 1> (mean, deviation)
        line = Constant <value_ints = [2]> ()
        statistics = Squeeze (both, line)
    }}""")


def fitter_model() -> bytes:
    """Return a fitter of the any-style pair: codes are to have the picture's largest values for means."""
    return _parsed(f"""{_HEADER} fitter (
        uint8[1, height, width, 3] picture, float[1, 2, 3] statistics, float[3] given_target
    ) => (float[3] target, float[1, 2, 3] gradient) {{
        pixels = Cast <to = 1> (picture)
        area = Constant <value_ints = [0, 1, 2]> ()
        target = ReduceMax <keepdims = 0> (pixels, area)
        parts = Constant <value_ints = [1, 1]> ()
        mean, deviation = Split <axis = 1> (statistics, parts)
        off = Sub (mean, given_target)
        nothing = Sub (deviation, deviation)
        gradient = Concat <axis = 1> (off, nothing)
    }}""")


def transfer_model() -> bytes:
    """Return the transfer of the any-style pair: colours get mean and deviation between their own and the style's."""
    return _parsed(f"""{_HEADER} transfer (
        uint8[1, height, width, 3] x, float[1, 2, 3] statistics, float[1] strength
    ) => (uint8[1, height, width, 3] stylized) {{
        {_STATISTICS}
        tiny = Constant <value_float = 0.001> ()
        divisor = Max (deviation, tiny)
        normal = Div (centred, divisor)
        shape = Constant <value_ints = [1, 2, 1, 3]> ()
        style = Reshape (statistics, shape)
        own = Concat <axis = 1> (mean, deviation)
        step = Sub (style, own)
        part = Mul (step, strength)
        wanted = Add (own, part)
        wanted_mean, wanted_deviation = Split <axis = 1, num_outputs = 2> (wanted)
        scaled = Mul (normal, wanted_deviation)
        moved = Add (scaled, wanted_mean)
        rounded = Round (moved)
        black = Constant <value_float = 0.0> ()
        white = Constant <value_float = 255.0> ()
        clipped = Clip (rounded, black, white)
        stylized = Cast <to = 2> (clipped)
    }}""")


def _parsed(text: str) -> bytes:
    return bytes(parser.parse_model(text).SerializeToString())


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
