"""Run the style network on a picture: scale to the inference size, pad to what the network takes, crop back."""

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
    `code` is the style of an any-style engine, None for a feed-forward style. Any thread may set another code of the
    same model at any time: the next picture is made with it.
    """

    def __init__(self, engine: Engine, *, size_px: int | None = None, code: StyleCode | None = None) -> None:
        self.code = code
        self._engine = engine
        self._size_px = size_px

    def stylize(self, rgb: NDArray[np.uint8], *, strength: float = 1.0) -> Stylized:
        """Stylise one picture; `strength` from 0 to 1 is for any-style models, `finish` applies it for the others."""
        content = at_inference_size(rgb, self._size_px)
        height, width = content.shape[:2]
        given = with_margin(content)
        code = self.code
        if code is None:
            stylized = self._engine.infer(given)
        else:
            extra = {STATISTICS: code.statistics, STRENGTH: np.array([strength], dtype=np.float32)}
            stylized = self._engine.infer(given, extra)
        if stylized.shape != given.shape:
            raise StyleError(f"the style made {stylized.shape} of a picture of {given.shape}; it must keep the size")
        inside = stylized[MARGIN_PX : MARGIN_PX + height, MARGIN_PX : MARGIN_PX + width]
        return Stylized(content, np.ascontiguousarray(inside), has_strength=code is not None)

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


def with_margin(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the picture inside a margin of its repeated edge, at a size that the network takes.

    The margin is `MARGIN_PX` at the top and the left and at least as much at the bottom and the right.
    """
    height, width = rgb.shape[:2]
    bottom, right = (-(side + 2 * MARGIN_PX) % SIZE_MULTIPLE + MARGIN_PX for side in (height, width))
    padded = cv2.copyMakeBorder(rgb, MARGIN_PX, bottom, MARGIN_PX, right, cv2.BORDER_REPLICATE)
    return np.asarray(padded, dtype=np.uint8)
