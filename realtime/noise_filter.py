"""Take film grain and the noise of sensors out of what stands still, before the network sees it.

A style network turns noise of a level or two into strokes that come and go: flat walls boil. What stands still is
averaged over time; what moves is left alone, so that nothing is ever resampled or leaves a trail.

Measured with starry-night at 640x360, the mean square of what changes from frame to frame in the smoothed output: on a
still frame with Gaussian noise of 2, 3 and 6 levels 0.40, 0.43 and 0.80 of what it is without the filter (frame by
frame 0.12, 0.22 and 0.67); warping error of six clips of real cameras 0.84 to 1.00 of it.
"""

from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from .luminance_history import warp
from .small_grey import FLOW_SHORT_SIDE_MIN_PX, GAP_MAX_S, SmallFlow, small_grey

# What stands still is judged in blocks of this many pixels of the small picture, its motion by the mean over so many
# blocks each way: noise deceives the flow everywhere in another direction, a pan in the same.
BLOCK_PX = 4
MOTION_BLOCKS = 15
# Half a vote against standing still: motion in pixels of the frame, the change of the small picture in levels, and the
# part of the change that motion explains beyond what it explains of noise.
STILL_PX = 0.2
CHANGE_LEVELS = 4.0
EXPLAINED_SHARE, EXPLAINED_BY_CHANCE = 0.15, 0.3
STILL_MIN = 0.5
# Weight of the history, and grey levels by which it may differ from the frame: the most that can ever go wrong.
HISTORY_WEIGHT = 0.8
CHANGE_MAX_LEVELS = 12
STRIP_PX = 32


@dataclass(frozen=True, slots=True)
class _Past:
    rgb: NDArray[np.uint8]
    grey: NDArray[np.uint8]
    pts_s: Fraction


class NoiseFilter:
    """Average each frame with the filtered one before, where nothing moves.

    In pixels x and history h, the result is x + 0.8 (h - x), with h within 12 levels of x. Rounding to bytes lets
    changes of up to two levels be, which no average has to follow.
    """

    def __init__(self) -> None:
        self._flow = SmallFlow()
        self._past: _Past | None = None

    def reset(self) -> None:
        """Forget the past: after a seek."""
        self._past = None

    def filter(self, rgb: NDArray[np.uint8], pts_s: Fraction) -> NDArray[np.uint8]:
        """Return the frame, (H, W, 3) RGB, with less noise; the frame itself where there is no past to it."""
        grey = small_grey(rgb)
        past, filtered = self._past, rgb
        if (
            past is not None
            and past.rgb.shape == rgb.shape
            and 0 < pts_s - past.pts_s <= GAP_MAX_S
            and min(grey.shape) >= FLOW_SHORT_SIDE_MIN_PX
        ):
            filtered = _averaged(rgb, past.rgb, self._still(grey, past.grey, scale=rgb.shape[1] / grey.shape[1]))
        self._past = _Past(filtered, grey, pts_s)
        return filtered

    def _still(self, grey: NDArray[np.uint8], past: NDArray[np.uint8], *, scale: float) -> NDArray[np.float32]:
        """Return how surely each block stands still, 0..1; `scale` is that of the frame to `grey`."""
        flow = self._flow.back(grey, past)
        motion_px = cv2.blur(scale * _block_means(flow), (MOTION_BLOCKS, MOTION_BLOCKS))
        change = _block_energy(cv2.subtract(grey, past, dtype=cv2.CV_16S))
        unexplained = _block_energy(cv2.subtract(grey, warp(past, flow), dtype=cv2.CV_16S))
        explained = 1 - (unexplained + 0.1) / (change + 0.1)
        beyond_chance = np.maximum(explained - EXPLAINED_BY_CHANCE, 0) / EXPLAINED_SHARE
        votes = np.square(motion_px / STILL_PX).sum(axis=-1) + change / CHANGE_LEVELS**2 + np.square(beyond_chance)
        return np.asarray(np.exp2(-votes), dtype=np.float32)


def _averaged(rgb: NDArray[np.uint8], history: NDArray[np.uint8], still: NDArray[np.float32]) -> NDArray[np.uint8]:
    height, width = rgb.shape[:2]
    is_still = (np.asarray(cv2.resize(still, (width, height))) >= STILL_MIN).view(np.uint8)
    slack = np.full(4, CHANGE_MAX_LEVELS, dtype=np.float64)
    result = rgb.copy()
    # In strips that stay in the cache.
    for top in range(0, height, STRIP_PX):
        rows = slice(top, top + STRIP_PX)
        new = rgb[rows]
        held = cv2.min(cv2.max(history[rows], cv2.subtract(new, slack)), cv2.add(new, slack))
        mean = cv2.addWeighted(new, 1 - HISTORY_WEIGHT, held, HISTORY_WEIGHT, 0)
        cv2.copyTo(mean, is_still[rows], result[rows])
    return result


def _block_means(picture: MatLike) -> NDArray[np.float32]:
    blocks = (max(1, picture.shape[1] // BLOCK_PX), max(1, picture.shape[0] // BLOCK_PX))
    return np.asarray(cv2.resize(picture, blocks, interpolation=cv2.INTER_AREA), dtype=np.float32)


def _block_energy(difference: MatLike) -> NDArray[np.float32]:
    """Return the mean square in the blocks, over three of them each way."""
    squares = np.square(np.asarray(difference, dtype=np.float32))
    return np.asarray(cv2.blur(_block_means(squares), (3, 3)), dtype=np.float32)
