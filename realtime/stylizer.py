"""Run the style network on a picture: scale to the inference size, pad to what the network takes, crop back."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .engine import SIZE_MIN_PX, SIZE_MULTIPLE, Engine


@dataclass(frozen=True, slots=True)
class Stylized:
    """A picture at inference size and what the network made of it, both (H, W, 3) uint8 RGB."""

    content: NDArray[np.uint8]
    stylized: NDArray[np.uint8]


class Stylizer:
    """Stylise pictures of any size of at least 1x1; several threads may call it, as many as the engine has workers.

    `size_px` is the short side at which the network runs; None, or more than the picture has, is the picture's own.
    """

    def __init__(self, engine: Engine, *, size_px: int | None = None) -> None:
        self._engine = engine
        self._size_px = size_px

    def stylize(self, rgb: NDArray[np.uint8]) -> Stylized:
        content = self._scaled(rgb)
        height, width = content.shape[:2]
        bottom = padding_px(height)
        right = padding_px(width)
        if not (bottom or right):
            return Stylized(content, self._engine.infer(content))
        padded = cv2.copyMakeBorder(content, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
        stylized = self._engine.infer(np.asarray(padded, dtype=np.uint8))
        return Stylized(content, np.ascontiguousarray(stylized[:height, :width]))

    def _scaled(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        height, width = rgb.shape[:2]
        short = min(width, height)
        if self._size_px is None or self._size_px >= short:
            return rgb
        size = (max(1, round(width * self._size_px / short)), max(1, round(height * self._size_px / short)))
        return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def padding_px(length_px: int) -> int:
    """Return how many pixels make a side a multiple of the network's block, and large enough for it."""
    return max(SIZE_MIN_PX, -(-length_px // SIZE_MULTIPLE) * SIZE_MULTIPLE) - length_px
