"""Run the style network on a picture: scale to the inference size, pad to what the network takes, crop back.

Slim networks see a picture in blocks of 4x4 pixels, and what they paint depends a little on where the blocks lie: what
moves by a pixel is painted in other strokes, with jagged edges in other places. The mean of what they paint on shifted
blocks depends less on it (cycle spinning, Coifman & Donoho 1995). Warping error of five sequences at 640x360 with the
default smoothing, as a multiple of that of one pass, sharpness, and style loss (four photographs at 384 px):

    starry-night    2 passes 0.57 to 0.86, 0.95, 2.3 times    4 passes 0.47 to 0.82, 0.94, 3.2 times
    great-wave      2 passes 0.73 to 0.91, 0.99, 1.1 times    4 passes 0.61 to 0.88, 0.97, 1.2 times
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .engine import Engine
from .errors import StyleError
from .graph import SIZE_MULTIPLE, STATISTICS, STRENGTH
from .small_grey import reduced
from .style_code import StyleCode

# Zero padding in the network's convolutions leaves a frame of this width in another tone around the picture; it is cut
# off again with the margin. 4 % more pixels at 1280x720.
MARGIN_PX = 8
# By how many pixels (x, y) the picture is moved against the blocks, by the number of passes: half a block.
GRID_SHIFTS = {1: ((0, 0),), 2: ((0, 0), (2, 2)), 4: ((0, 0), (2, 2), (2, 0), (0, 2))}


@dataclass(frozen=True, slots=True)
class Stylized:
    """A picture at inference size and what the network made of it, both (H, W, 3) uint8 RGB.

    `has_strength` tells that the network has applied the strength itself, so that nothing is left to blend.
    """

    content: NDArray[np.uint8]
    stylized: NDArray[np.uint8]
    has_strength: bool = False


class Stylizer:
    """Stylise pictures of any size of at least 1x1; several threads may call it, as many as the engine has workers.

    `size_px` is the short side at which the network runs; None, or more than the picture has, is the picture's own.
    `shifts` is the number of passes whose mean is taken, one of `GRID_SHIFTS`.
    `code` is the style of an any-style engine, None for a feed-forward style. Any thread may set another code of the
    same model at any time: the next picture is made with it.
    """

    def __init__(
        self, engine: Engine, *, size_px: int | None = None, code: StyleCode | None = None, shifts: int = 1
    ) -> None:
        self.code = code
        self._engine = engine
        self._size_px = size_px
        self._shifts = GRID_SHIFTS[shifts]

    def stylize(self, rgb: NDArray[np.uint8], *, strength: float = 1.0) -> Stylized:
        """Stylise one picture; `strength` from 0 to 1 is for any-style models, `finish` applies it for the others."""
        content = at_inference_size(rgb, self._size_px)
        code = self.code
        extra = None
        if code is not None:
            extra = {STATISTICS: code.statistics, STRENGTH: np.array([strength], dtype=np.float32)}
        passes = [self._painted(content, shift, extra) for shift in self._shifts]
        stylized = np.ascontiguousarray(passes[0]) if len(passes) == 1 else _mean(passes)
        return Stylized(content, stylized, has_strength=code is not None)

    def _painted(
        self, content: NDArray[np.uint8], shift: tuple[int, int], extra: Mapping[str, NDArray[np.float32]] | None
    ) -> NDArray[np.uint8]:
        height, width = content.shape[:2]
        given = with_margin(content, shift, room_px=max(map(max, self._shifts)))
        stylized = self._engine.infer(given, extra)
        if stylized.shape != given.shape:
            raise StyleError(f"the style made {stylized.shape} of a picture of {given.shape}; it must keep the size")
        left, top = (MARGIN_PX + step for step in shift)
        return stylized[top : top + height, left : left + width]

    def warm_up(self, *, width: int, height: int) -> None:
        """Make the engine compile for pictures of this size now, and not while frames wait."""
        self.stylize(np.zeros((height, width, 3), dtype=np.uint8))


def at_inference_size(rgb: NDArray[np.uint8], size_px: int | None) -> NDArray[np.uint8]:
    """Return the picture (H, W, 3) with a short side of `size_px`; itself where that is None or not smaller."""
    height, width = rgb.shape[:2]
    short = min(width, height)
    if size_px is None or size_px >= short:
        return rgb
    size = (max(1, round(width * size_px / short)), max(1, round(height * size_px / short)))
    return reduced(rgb, size)


def with_margin(rgb: NDArray[np.uint8], shift: tuple[int, int] = (0, 0), *, room_px: int = 0) -> NDArray[np.uint8]:
    """Return the picture inside a margin of its repeated edge, at a size that the network takes.

    The margin is `MARGIN_PX` and the shift (x, y) at the left and the top, and at least `MARGIN_PX` at the right and
    the bottom. The size is the same for all shifts of up to `room_px`.
    """
    (left, right), (top, bottom) = (
        (MARGIN_PX + step, MARGIN_PX + room_px - step + -(side + 2 * MARGIN_PX + room_px) % SIZE_MULTIPLE)
        for side, step in zip(rgb.shape[1::-1], shift, strict=True)
    )
    return np.asarray(cv2.copyMakeBorder(rgb, top, bottom, left, right, cv2.BORDER_REPLICATE), dtype=np.uint8)


def _mean(pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    total = pictures[0].astype(np.uint16)
    for picture in pictures[1:]:
        cv2.add(total, picture, dst=total, dtype=cv2.CV_16U)
    return np.asarray(cv2.convertScaleAbs(total, alpha=1 / len(pictures)), dtype=np.uint8)
