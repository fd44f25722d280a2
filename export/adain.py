"""Export an any-style network (AdaIN) as two graphs: a picture to its style statistics, and a frame in that style.

The network has `statistics_uint8(picture)` and `forward_uint8(frames, statistics, strength)`, with pictures and frames
uint8 (1, H, W, 3) of sides of multiples of 8, statistics float32 (1, 2, N) and strength float32 (1,) from 0 to 1.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from export.graph import EXAMPLE_SIDE_PX, INPUT_NAME, OUTPUT_NAME, trace
from export.variant import store_as_float16
from export.verify import Case, Parity, Picture, verify, verify_statistics
from realtime.graph import STATISTICS, STRENGTH
from realtime.stylizer import with_margin

PICTURE_NAME = "picture"
# Strengths at which the transfer is compared: what the user moves between, and the ends.
VERIFIED_STRENGTHS = (0.0, 0.6, 1.0)


@dataclass(frozen=True, slots=True)
class AdainGraphs:
    """The two graphs of an any-style network, weights stored as float16; `statistics_size` is N."""

    encoder: bytes
    transfer: bytes
    statistics_size: int


class _Encoder(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, picture: Tensor) -> Tensor:
        return self.network.statistics_uint8(picture)  # type: ignore[operator, no-any-return]


class _Transfer(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, frames: Tensor, statistics: Tensor, strength: Tensor) -> Tensor:
        return self.network.forward_uint8(frames, statistics, strength)  # type: ignore[operator, no-any-return]


def export_adain(network: nn.Module) -> AdainGraphs:
    """Return both graphs; rounds the weights of `network` to float16, as which they are stored."""
    round_to_float16(network)
    picture = torch.zeros(1, EXAMPLE_SIDE_PX, EXAMPLE_SIDE_PX, 3, dtype=torch.uint8)
    statistics = torch.from_numpy(_statistics(network, picture.numpy()))
    strength = torch.ones(1)
    encoder = trace(_Encoder(network), {PICTURE_NAME: picture}, output=STATISTICS, output_is_picture=False)
    transfer = trace(
        _Transfer(network),
        {INPUT_NAME: picture, STATISTICS: statistics, STRENGTH: strength},
        output=OUTPUT_NAME,
        output_is_picture=True,
    )
    return AdainGraphs(store_as_float16(encoder), store_as_float16(transfer), statistics.shape[2])


def round_to_float16(network: nn.Module) -> None:
    """Round all weights in place to numbers that float16 holds."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(parameter.half().float())


def verify_adain(
    network: nn.Module, graphs: AdainGraphs, pictures: dict[tuple[int, int], Picture], *, style: Picture
) -> list[Parity]:
    """Return the parity of the transfer on every engine, in the style of `style`, after that of the encoder.

    Raises:
        ParityError: an engine is further off than the tolerances allow.
    """
    framed = {size: with_margin(picture)[np.newaxis] for size, picture in pictures.items()}
    verify_statistics(
        graphs.encoder,
        [Case(size, {PICTURE_NAME: frame}, _statistics(network, frame)) for size, frame in framed.items()],
    )
    statistics = _statistics(network, with_margin(style)[np.newaxis])
    cases = []
    for index, (size, frame) in enumerate(framed.items()):
        strength = np.array([VERIFIED_STRENGTHS[index % len(VERIFIED_STRENGTHS)]], dtype=np.float32)
        inputs = {INPUT_NAME: frame, STATISTICS: statistics, STRENGTH: strength}
        cases.append(Case(size, inputs, _in_torch(network.forward_uint8, *inputs.values())))  # type: ignore[arg-type]
    return verify(graphs.transfer, cases)


def _statistics(network: nn.Module, picture: Picture) -> np.ndarray[Any, np.dtype[np.float32]]:
    return _in_torch(network.statistics_uint8, picture)  # type: ignore[arg-type]


def _in_torch(function: Callable[..., Tensor], *arrays: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    with torch.inference_mode():
        return np.asarray(function(*(torch.from_numpy(array) for array in arrays)).numpy())
