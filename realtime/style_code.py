"""A style as an any-style network takes it: a picture is encoded once, and codes are mixed by arithmetic."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .engine import Engine
from .errors import StyleError
from .graph import SIZE_MULTIPLE

# Short side at which a style's picture is encoded: paintings had 256 to 320 px in training, and brush strokes twice as
# large in pixels would be another style.
ENCODED_SHORT_SIDE_PX = 320
# Scrolls and panoramas are cut to their middle beyond this, so that no picture takes more than four times the usual.
ENCODED_LONG_SIDE_MAX_PX = 4 * ENCODED_SHORT_SIDE_PX


@dataclass(frozen=True, slots=True)
class StyleCode:
    """What an any-style network knows of a style; goes with the model whose encoder made it.

    `statistics` is (1, 2, N) float32: the means, then the standard deviations, of N features. It is read-only and a few
    kilobytes large; threads may share it.
    """

    statistics: NDArray[np.float32]

    def __post_init__(self) -> None:
        self.statistics.flags.writeable = False


def encode_picture(encoder: Engine, rgb: NDArray[np.uint8]) -> StyleCode:
    """Return the code of a style's picture, (H, W, 3) uint8 RGB of any size; any thread may call it.

    Raises:
        StyleError: the encoder fails, or gives something that is no code.
    """
    statistics = encoder.infer(as_encoded(rgb))
    if statistics.ndim != 2 or len(statistics) != 2 or not np.isfinite(statistics).all():
        raise StyleError(f"the encoder made no style of the picture: {statistics.shape} instead of finite (2, N)")
    return StyleCode(np.array(statistics[np.newaxis], dtype=np.float32))


def mix_codes(codes: Sequence[StyleCode], weights: Sequence[float]) -> StyleCode:
    """Return the mean of codes of one encoder, weighted; weights are at least 0, and not all of them 0.

    Huang & Belongie (2017, style interpolation) mix the feature maps after AdaIN, which comes to the same where the
    graph has one such layer: it is linear in the statistics of the style.
    """
    mixed = np.average([code.statistics for code in codes], axis=0, weights=weights)
    return StyleCode(mixed.astype(np.float32))


def as_encoded(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a style's picture at the size at which it is encoded; sides are rounded to what the graph takes."""
    height, width = rgb.shape[:2]
    factor = ENCODED_SHORT_SIDE_PX / min(height, width)
    # Cut before scaling: a line of one pixel by a million would not fit into memory when enlarged.
    limit = max(1, round(ENCODED_LONG_SIDE_MAX_PX / factor))
    top, left = max(0, height - limit) // 2, max(0, width - limit) // 2
    middle = rgb[top : top + limit, left : left + limit]
    size = tuple(round(side * factor / SIZE_MULTIPLE) * SIZE_MULTIPLE for side in (middle.shape[1], middle.shape[0]))
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(middle, size, interpolation=method), dtype=np.uint8)
