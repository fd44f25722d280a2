"""Take the flicker out of a stylised video, guided by the motion of its input.

The last smoothed picture is warped along the flow of the input and blended with the new one: the luminance at full
size, so that strokes are carried sharply, what is left of the colours at a quarter, where it costs next to nothing.

Measured on 16 frames of seven sequences at 640x360 (four of DAVIS, three of still cameras), a style trained for
coherence against one that was not: flicker removed frame by frame 59 %, with the default smoothing of 0.8 and
`noise_filter.py` before the network 85 % (72 % at least), at 98 % of the sharpness (93 % at least) and 1.47 times the
style loss of the unsmoothed pictures. A plain average along the flow that removes 84 % keeps 86 % (69 % at least).
`benchmarks/smoothing.py`.
"""

from typing import Protocol

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from .compiled import compiled, repeat_for_channels, row_between
from .input_motion import Look, Motion
from .luminance_history import LuminanceHistory, blend, warp, widened
from .small_grey import reduced

# Trust, motion and detail are judged in blocks of this many pixels.
BLOCK_PX = 8
# Colours are carried at this part of the size: 79 instead of 76 % of the flicker removed, 81 % at full size.
COLOR_REDUCTION = 4
# Weights of the history at smoothing 1. What stands still is carried without resampling, so that it does not blur.
MOVING_WEIGHT = 0.85
STILL_WEIGHT = 0.95
# Motion in pixels a frame at which the weight is half way between them.
STILL_PX = 0.3
# Grey levels by which the input may differ along the flow before the history counts half.
RESIDUAL_HALF_TRUST = 12.0
# Share by which motion squeezes the surroundings of a block, on its way back to the last frame, from which on nothing
# of the history counts: two things that come from one place were not both seen. Sample clip, its exact occlusion, a
# network's pictures: 2.5 (3.1 at most) instead of 2.8 (4.4) levels from the unsmoothed picture in what comes into view.
SQUEEZE_NO_TRUST = 0.25
# The correction of colours is interpolated in units of one part in this.
FIXED_BITS = 7
FIXED_ONE = 1 << FIXED_BITS
# Takes its luminance (ITU-R BT.601, as OpenCV's) from a colour.
_WITHOUT_LUMINANCE = np.eye(3) - np.array((0.299, 0.587, 0.114))
# A frame of which more than this share cannot be explained by motion begins a new scene, too.
CUT_SHARE = 0.6
CUT_TRUST = 0.25


class Smoother(Protocol):
    """Makes a stylised video coherent, frame by frame. `tests/contract/test_smoother.py` holds all to this."""

    def smooth(self, look: Look, stylized: NDArray[np.uint8], *, smoothing: float) -> NDArray[np.uint8]:
        """Return the smoothed picture of a frame, (H, W, 3) RGB; `smoothing` 0 returns `stylized` itself.

        `look` is at the frame that the picture was made of, after the one at the frame before.
        """
        ...

    def reset(self) -> None:
        """Forget the past: after a seek or a change of style."""
        ...


class FlowSmoother:
    """Blend the picture with the last smoothed one, warped by the flow of the input.

    With y the new picture, h the warped history and w = smoothing * trust * (0.85 where it moves, 0.95 where it does
    not), the blend is y + w (h - y) (Ruder et al. 2016, sec. 3, at run time; DIS flow, Kroeger et al. 2016). Trust
    falls with the residual of the warped input, which also finds occlusions; and the history is clamped to the range
    that y has around the pixel (Karis 2014), so that nothing is left of what has gone. `StrokeDetail` then brings back
    the detail of the strokes; that is shown, but carried on only as far as sampling has taken it away, or it would be
    raised again and again.
    """

    def __init__(self) -> None:
        self.cuts = 0
        self._luminance = LuminanceHistory()
        # The smoothed colours (h, w, 3) at a part of the size, and the shape of the picture that they are of.
        self._colors: NDArray[np.uint8] | None = None
        self._shape: tuple[int, ...] = ()
        # Kept from frame to frame for its memory.
        self._wide_color_step: NDArray[np.int16] | None = None

    def reset(self) -> None:
        self._colors = None

    def smooth(self, look: Look, stylized: NDArray[np.uint8], *, smoothing: float) -> NDArray[np.uint8]:
        height, width = stylized.shape[:2]
        if smoothing == 0:
            self.reset()
            return stylized
        self.cuts += look.is_cut
        colors = reduced(stylized, (-(-width // COLOR_REDUCTION), -(-height // COLOR_REDUCTION)))
        self._luminance.take(stylized)
        past_colors = self._colors if self._shape == stylized.shape else None
        self._colors, self._shape = colors, stylized.shape
        motion = look.motion
        if motion is None or past_colors is None:
            return self._first(stylized)
        blocks = (max(1, width // BLOCK_PX), max(1, height // BLOCK_PX))
        trust = _trust(motion, blocks)
        if np.mean(trust < CUT_TRUST) > CUT_SHARE:
            self.cuts += 1
            return self._first(stylized)
        # In pixels of the whole picture from here on.
        small_height, small_width = motion.grey.shape
        flow = cv2.transform(motion.flow, np.diag((width / small_width, height / small_height)))
        block_flow = _block_means(flow, blocks)
        weight = smoothing * trust * _weight(block_flow)
        self._colors = _carried_colors(colors, past_colors, block_flow, weight)
        luminance_step = self._luminance.blend(flow, block_flow, weight)
        color_step = cv2.transform(cv2.subtract(self._colors, colors, dtype=cv2.CV_16S), _WITHOUT_LUMINANCE)
        wide_color_step = cv2.resize(color_step, (width, len(colors)), dst=self._wide_color_step)
        self._wide_color_step = np.asarray(wide_color_step, dtype=np.int16)
        corrected = np.empty(stylized.shape, dtype=np.uint8)
        _correct(np.ascontiguousarray(stylized), luminance_step, self._wide_color_step, corrected)
        return corrected

    def _first(self, stylized: NDArray[np.uint8]) -> NDArray[np.uint8]:
        self._luminance.begin()
        return stylized


@compiled
def _correct(
    stylized: NDArray[np.uint8],
    luminance_step: NDArray[np.int16],
    color_step: NDArray[np.int16],
    corrected: NDArray[np.uint8],
) -> None:
    """Add a correction of the luminance (H, W), and of the colours (rows, W, 3) what changes no luminance."""
    height, width = stylized.shape[:2]
    pixels = stylized.reshape(height, -1)
    results = corrected.reshape(height, -1)
    colors = color_step.reshape(len(color_step), -1)
    steps = np.empty(3 * width, dtype=np.int16)
    for row in range(height):
        above, below, between = row_between(row, height, len(colors))
        share = np.int32(FIXED_ONE * between)
        repeat_for_channels(luminance_step[row], steps)
        # In whole numbers, each brought back to 32 bits, which Numba would else make 64: half the time of floats.
        for x in range(3 * width):
            color = np.int32(colors[above, x])
            change = np.int32(share * np.int32(colors[below, x] - color))
            color = np.int32(np.int32(color * FIXED_ONE + change + FIXED_ONE // 2) >> FIXED_BITS)
            value = np.int32(pixels[row, x] + steps[x] + color)
            results[row, x] = np.uint8(min(max(value, np.int32(0)), np.int32(255)))


def _carried_colors(
    colors: NDArray[np.uint8], history: NDArray[np.uint8], block_flow: NDArray[np.float32], weight: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """Return the new colours (h, w, 3) blended with those of the last frame."""
    size = (colors.shape[1], colors.shape[0])
    carried = np.asarray(warp(history, cv2.resize(block_flow, size) / COLOR_REDUCTION), dtype=np.uint8)
    blend(colors, carried, widened(weight, size[0]))
    return carried


def _block_means(flow: MatLike, blocks: tuple[int, int]) -> NDArray[np.float32]:
    means = cv2.resize(flow, blocks, interpolation=cv2.INTER_AREA)
    return np.asarray(means, dtype=np.float32).reshape(*blocks[::-1], 2)


def _trust(motion: Motion, blocks: tuple[int, int]) -> NDArray[np.float32]:
    """Return how far the history can be trusted, 0..1, for each block; `blocks` is (width, height)."""
    residual = cv2.blur(cv2.absdiff(warp(motion.past, motion.flow), motion.grey), (3, 3))
    # The largest around: what comes out from behind something is a thin strip (sample clip, its exact occlusion: 2.6
    # instead of 3.0 levels from the unsmoothed picture there; 4.5 before blocks from beyond the rim counted for none).
    residual = cv2.dilate(residual, np.ones((3, 3), dtype=np.uint8))
    residual = cv2.resize(residual, blocks, interpolation=cv2.INTER_AREA)
    return np.asarray(np.exp2(-np.square(residual / np.float32(RESIDUAL_HALF_TRUST))), dtype=np.float32)


def _weight(flow: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the weight of a trusted history for each block, by how it moves; 0 where it was out of the picture."""
    stillness = np.exp2(-np.square(flow / np.float32(STILL_PX)).sum(axis=-1))
    rows, columns = stillness.shape
    x = flow[..., 0] + BLOCK_PX * np.arange(columns, dtype=np.float32)
    y = flow[..., 1] + BLOCK_PX * np.arange(rows, dtype=np.float32)[:, np.newaxis]
    inside = (np.abs(x - x.clip(0, BLOCK_PX * (columns - 1))) < STILL_PX) & (
        np.abs(y - y.clip(0, BLOCK_PX * (rows - 1))) < STILL_PX
    )
    weight = inside * (MOVING_WEIGHT + (STILL_WEIGHT - MOVING_WEIGHT) * stillness)
    squeeze = -(_slope(flow[..., 0], axis=1) + _slope(flow[..., 1], axis=0)) / BLOCK_PX
    return np.asarray(weight * (1 - squeeze / SQUEEZE_NO_TRUST).clip(0, 1), dtype=np.float32)


def _slope(values: NDArray[np.float32], axis: int) -> MatLike:
    """Return the change from block to block."""
    x, y = (1, 0) if axis == 1 else (0, 1)
    return cv2.Sobel(values, cv2.CV_32F, x, y, ksize=1, scale=0.5, borderType=cv2.BORDER_REPLICATE)
