"""Take film grain and the noise of sensors out of what stands still, before the network sees it.

A style network turns noise of a level or two into strokes that come and go: flat walls boil. What stands still is
averaged over time; what moves is left alone, so that nothing is ever resampled or leaves a trail.

Measured with starry-night at 640x360, the mean square of what changes from frame to frame in the smoothed output: on
four still frames with Gaussian noise of 2, 3 and 6 levels 0.49, 0.51 and 0.56 of what it is without the filter; warping
error of six clips of real cameras 0.84 to 1.00 of it.
"""

from dataclasses import replace

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from .compiled import compiled, enlarge_row, repeat_for_channels
from .input_motion import Look, Motion
from .luminance_history import warp, widened

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


class NoiseFilter:
    """Average each frame with the filtered one before, where nothing moves.

    In pixels x and history h, the result is x + 0.8 (h - x), with h within 12 levels of x. Rounding to bytes lets
    changes of up to two levels be, which no average has to follow.
    """

    def __init__(self) -> None:
        self._past: NDArray[np.uint8] | None = None

    def reset(self) -> None:
        """Forget the past: after frames that were not filtered."""
        self._past = None

    def filter(self, rgb: NDArray[np.uint8], look: Look) -> tuple[NDArray[np.uint8], Look]:
        """Return the frame, (H, W, 3) RGB, with less noise, and its look without motion where it stands still.

        The frame itself where there is no past to it.
        """
        past, self._past = self._past, rgb
        motion = look.motion
        if motion is None or past is None or past.shape != rgb.shape:
            return rgb, look
        still = _still(motion, scale=rgb.shape[1] / motion.grey.shape[1])
        self._past = _averaged(rgb, past, still)
        moves = np.asarray(cv2.resize(still, motion.grey.shape[::-1])) < STILL_MIN
        return self._past, replace(look, motion=replace(motion, flow=motion.flow * moves[..., np.newaxis]))


def _still(motion: Motion, *, scale: float) -> NDArray[np.float32]:
    """Return how surely each block stands still, 0..1; `scale` is that of the frame to the small picture."""
    motion_px = cv2.blur(scale * _block_means(motion.flow), (MOTION_BLOCKS, MOTION_BLOCKS))
    change = _block_energy(cv2.subtract(motion.grey, motion.past, dtype=cv2.CV_16S))
    unexplained = _block_energy(cv2.subtract(motion.grey, warp(motion.past, motion.flow), dtype=cv2.CV_16S))
    explained = 1 - (unexplained + 0.1) / (change + 0.1)
    beyond_chance = np.maximum(explained - EXPLAINED_BY_CHANCE, 0) / EXPLAINED_SHARE
    votes = np.square(motion_px / STILL_PX).sum(axis=-1) + change / CHANGE_LEVELS**2 + np.square(beyond_chance)
    return np.asarray(np.exp2(-votes), dtype=np.float32)


def _averaged(rgb: NDArray[np.uint8], history: NDArray[np.uint8], still: NDArray[np.float32]) -> NDArray[np.uint8]:
    result = np.empty(rgb.shape, dtype=np.uint8)
    # Contiguous, as the compiled loop needs them: views of wider rows come from decoders.
    _average(np.ascontiguousarray(rgb), np.ascontiguousarray(history), widened(still, rgb.shape[1]), result)
    return result


@compiled
def _average(
    rgb: NDArray[np.uint8], history: NDArray[np.uint8], still: NDArray[np.float32], result: NDArray[np.uint8]
) -> None:
    """Average pictures (H, W, 3) where `still` (rows, W), its rows enlarged to H, says so."""
    height, width = rgb.shape[:2]
    most, least_still, moving = np.float32(CHANGE_MAX_LEVELS), np.float32(STILL_MIN), np.float32(0)
    pixels, past, results = rgb.reshape(height, -1), history.reshape(height, -1), result.reshape(height, -1)
    row_weights, weights = np.empty(width, dtype=np.float32), np.empty(3 * width, dtype=np.float32)
    for row in range(height):
        enlarge_row(still, row, height, row_weights)
        for x in range(width):
            row_weights[x] = np.float32(HISTORY_WEIGHT) if row_weights[x] >= least_still else moving
        repeat_for_channels(row_weights, weights)
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
