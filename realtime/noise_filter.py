"""Take film grain and the noise of sensors out of what stands still, before the network sees it.

A style network turns noise of a level or two into strokes that come and go: flat walls boil. What stands still is
averaged over time; what moves is left alone, so that nothing is ever resampled or leaves a trail.

Measured with starry-night at 640x360, the mean square of what changes from frame to frame in the smoothed output: on
four still frames with Gaussian noise of 2, 3 and 6 levels 0.44, 0.41 and 0.48 of what it is without the filter; warping
error of six clips of real cameras 0.84 to 1.00 of it.
"""

from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from .compiled import compiled, row_between
from .luminance_history import warp, widened
from .small_grey import FLOW_COARSE_SCALE, FLOW_SHORT_SIDE_MIN_PX, GAP_MAX_S, SmallFlow, small_grey

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
        # Coarse: only its means over many blocks count, and the flicker left is the same.
        self._flow = SmallFlow(finest_scale=FLOW_COARSE_SCALE)
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
    result = np.empty_like(rgb)
    _average(rgb, history, widened(still, rgb.shape[1]), result)
    return result


@compiled
def _average(
    rgb: NDArray[np.uint8], history: NDArray[np.uint8], still: NDArray[np.float32], result: NDArray[np.uint8]
) -> None:
    """Average pictures (H, W, 3) where `still` (rows, W), its rows enlarged to H, says so."""
    height, width = rgb.shape[:2]
    most, least_still, moving = np.float32(CHANGE_MAX_LEVELS), np.float32(STILL_MIN), np.float32(0)
    pixels, past, results = rgb.reshape(height, -1), history.reshape(height, -1), result.reshape(height, -1)
    weights = np.empty(3 * width, dtype=np.float32)
    for row in range(height):
        above, below, between = row_between(row, height, len(still))
        share = np.float32(between)
        for x in range(width):
            is_still = still[above, x] + share * (still[below, x] - still[above, x]) >= least_still
            weight = np.float32(HISTORY_WEIGHT) if is_still else moving
            weights[3 * x] = weight
            weights[3 * x + 1] = weight
            weights[3 * x + 2] = weight
        for x in range(3 * width):
            pixel = np.float32(pixels[row, x])
            change = min(max(np.float32(past[row, x]) - pixel, -most), most)
            results[row, x] = np.uint8(np.int32(pixel + weights[x] * change + np.float32(0.5)))


def _block_means(picture: MatLike) -> NDArray[np.float32]:
    blocks = (max(1, picture.shape[1] // BLOCK_PX), max(1, picture.shape[0] // BLOCK_PX))
    return np.asarray(cv2.resize(picture, blocks, interpolation=cv2.INTER_AREA), dtype=np.float32)


def _block_energy(difference: MatLike) -> NDArray[np.float32]:
    """Return the mean square in the blocks, over three of them each way."""
    squares = np.square(np.asarray(difference, dtype=np.float32))
    return np.asarray(cv2.blur(_block_means(squares), (3, 3)), dtype=np.float32)
