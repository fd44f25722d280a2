"""What the graphs that engines run take and give: the contract between `export` and the runtime.

Every graph takes one picture, uint8 (1, H, W, 3) RGB, at any height and width that is a multiple of `SIZE_MULTIPLE` (of
16 where people are found) and at least `SIZE_MIN_PX`; its input may have any name. Other inputs are float32 and go by
the names given here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .errors import StyleError

SIZE_MULTIPLE = 8
SIZE_MIN_PX = 16
STATISTICS = "statistics"
STRENGTH = "strength"


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output as an engine's library tells of it; None is a length that may change."""

    name: str
    element: str
    shape: tuple[int | None, ...]

    def __str__(self) -> str:
        return (
            f"{self.name} {self.element} ({', '.join('?' if length is None else str(length) for length in self.shape)})"
        )


@dataclass(frozen=True, slots=True)
class GraphContract:
    """One kind of graph: the shapes of its inputs besides the picture, by name, and the element type of its output."""

    kind: str
    expected: str
    output_element: str
    extra_inputs: Mapping[str, tuple[int | None, ...]] = field(default_factory=dict)

    def require(self, inputs: Sequence[Port], outputs: Sequence[Port]) -> str:
        """Return the name of the picture's input.

        Raises:
            StyleError: the graph takes or gives something else.
        """
        pictures = [port for port in inputs if _is_picture(port)]
        extra = {port.name: port for port in inputs if port not in pictures}
        if (
            len(pictures) != 1
            or [port.element for port in outputs] != [self.output_element]
            or set(extra) != set(self.extra_inputs)
            or not all(_is_float(extra[name], shape) for name, shape in self.extra_inputs.items())
        ):
            seen = ", ".join(map(str, (*inputs, *outputs)))
            raise StyleError(f"the model is not {self.kind}: expected {self.expected}; it has {seen}")
        return pictures[0].name


# N numbers tell a style: `statistics` holds N means, then N standard deviations, of features of the style's picture.
_STATISTICS_SHAPE = (1, 2, None)
FEED_FORWARD = GraphContract("a style", "one input and one output, uint8 (1, H, W, 3)", "uint8")
ENCODER = GraphContract(
    "the encoder of an any-style model", "an input uint8 (1, H, W, 3) and an output float32 (1, 2, N)", "float32"
)
PEOPLE = GraphContract(
    "a network that finds people", "an input uint8 (1, H, W, 3) and an output uint8 (1, H, W, 1)", "uint8"
)
TRANSFER = GraphContract(
    "an any-style model",
    f"inputs uint8 (1, H, W, 3), {STATISTICS} float32 (1, 2, N) and {STRENGTH} float32 (1), "
    "and an output uint8 (1, H, W, 3)",
    "uint8",
    {STATISTICS: _STATISTICS_SHAPE, STRENGTH: (1,)},
)


def _is_picture(port: Port) -> bool:
    return port.element == "uint8" and port.shape[1:] == (None, None, 3) and port.shape[0] in (1, None)


def _is_float(port: Port, shape: tuple[int | None, ...]) -> bool:
    return (
        port.element == "float32"
        and len(port.shape) == len(shape)
        and all(seen in (length, None) or length is None for seen, length in zip(port.shape, shape, strict=True))
    )
