"""Carry the luminance of a smoothed video from frame to frame at full size, so that brush strokes stay sharp.

The smoother (`smoother.py`) tells where everything has gone and how far that can be trusted; here the last luminance is
sampled there, kept within what the new picture has around each pixel, blended with it, and its detail restored.
"""

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from .compiled import compiled, enlarge_row
from .stroke_detail import StrokeDetail

# Grey levels by which the history may leave the range that the new picture has around a pixel.
RANGE_SLACK_LEVELS = 8
# Bilinear sampling at a fraction f of a pixel takes detail away in proportion to f (1 - f); this is how much of it is
# given back. Bicubic sampling would take 4 ms longer; giving back more overdoes it in long pans (1.5: 9 % too sharp).
SAMPLING_LOSS = 0.5
# A difference of more levels does not stay: in bytes the blend would round its own step away, at a weight of 0.95 that
# of ten levels. What is left is within what the eye sees in a still picture.
STAYING_LEVELS = 2


class _Buffers:
    """Full-size pictures, kept for their memory: fresh pages for all of them cost 3 ms a frame at 1280x720.

    Of their contents only `history`, the smoothed luminance, outlives a frame.
    """

    def __init__(self, height: int, width: int) -> None:
        size = (height, width)
        self.flow = np.empty((*size, 2), dtype=np.float32)
        self.luminance, self.history, self.blended = (np.empty(size, dtype=np.uint8) for _ in range(3))
        self.step = np.empty(size, dtype=np.int16)


class LuminanceHistory:
    """Holds the smoothed luminance (H, W); each frame is `take`n, then either blended or begun anew with."""

    def __init__(self) -> None:
        self._buffers = _Buffers(0, 0)
        self._detail = StrokeDetail()

    def take(self, rgb: NDArray[np.uint8]) -> None:
        """Set the new picture, (H, W, 3); after one of another size the history has to begin anew."""
        if self._buffers.luminance.shape != rgb.shape[:2]:
            self._buffers = _Buffers(*rgb.shape[:2])
        cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY, dst=self._buffers.luminance)

    def begin(self) -> None:
        """Make the new picture's luminance the history."""
        self._detail.reset()
        np.copyto(self._buffers.history, self._buffers.luminance)

    def blend(self, flow: MatLike, block_flow: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.int16]:
        """Blend the new luminance with the history; return what is to be added to the new one for showing.

        `flow` (h, w, 2) of any size leads to the last frame in pixels of this one; so does `block_flow`, its means in
        the blocks of `weight`, the history's share. The result is (H, W) and valid until the next frame.
        """
        buffers, new = self._buffers, self._buffers.luminance
        width = new.shape[1]
        cv2.resize(flow, new.shape[::-1], dst=buffers.flow)
        warp(buffers.history, buffers.flow, dst=buffers.blended)
        blend(new, buffers.blended, widened(weight, width))
        low, gain = self._detail.of(new, buffers.blended, weight.shape[::-1])
        fraction = np.abs(block_flow - np.rint(block_flow))
        lost = weight * np.float32(SAMPLING_LOSS) * (fraction * (1 - fraction)).mean(axis=-1)
        factors = widened(gain, width), widened(lost, width)
        _restore_detail(new, buffers.blended, low, *factors, buffers.history, buffers.step)
        return buffers.step


def widened(values: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """Return `values` (rows, columns) enlarged to a width, linearly; `enlarge_row` does the same with the rows."""
    return np.asarray(cv2.resize(values, (width, values.shape[0])), dtype=np.float32).reshape(-1, width)


def warp(picture: MatLike, flow: MatLike, *, dst: MatLike | None = None) -> MatLike:
    """Sample picture(p + flow(p)), bilinear; beyond its rim the picture is repeated."""
    # OpenCV 5.0's stubs do not know that a map of pairs needs no second map.
    return cv2.remap(  # type: ignore[call-overload, no-any-return]
        picture, flow, None, cv2.INTER_LINEAR | cv2.WARP_RELATIVE_MAP, dst=dst, borderMode=cv2.BORDER_REPLICATE
    )


def blend(new: NDArray[np.uint8], history: NDArray[np.uint8], weight: NDArray[np.float32]) -> None:
    """Write new + weight (history - new) to `history`, which is first clamped to the range around each pixel of `new`.

    Both are (H, W) or (H, W, channels) uint8 of one shape, `weight` is (rows, W), the rows enlarged to H.
    """
    around = np.ones((3, 3), dtype=np.uint8)
    darkest, lightest = (np.asarray(rank(new, around), dtype=np.uint8) for rank in (cv2.erode, cv2.dilate))
    channels = new.size // (new.shape[0] * new.shape[1])
    if channels > 1:
        weight = np.repeat(weight, channels, axis=1)
    flat = (len(new), -1)
    _blend_clamped(new.reshape(flat), darkest.reshape(flat), lightest.reshape(flat), weight, history.reshape(flat))


@compiled
def _blend_clamped(
    new: NDArray[np.uint8],
    darkest: NDArray[np.uint8],
    lightest: NDArray[np.uint8],
    weight: NDArray[np.float32],
    history: NDArray[np.uint8],
) -> None:
    height, width = new.shape
    slack, most = np.float32(RANGE_SLACK_LEVELS), np.float32(STAYING_LEVELS)
    weights = np.empty(width, dtype=np.float32)
    for row in range(height):
        enlarge_row(weight, row, height, weights)
        for x in range(width):
            pixel = np.float32(new[row, x])
            held = max(np.float32(history[row, x]), np.float32(darkest[row, x]) - slack)
            held = min(held, np.float32(lightest[row, x]) + slack)
            mixed = np.int32(pixel + weights[x] * (held - pixel) + np.float32(0.5))
            stays = mixed == np.int32(held)
            mixed += np.int32(stays and pixel > held + most) - np.int32(stays and pixel < held - most)
            history[row, x] = np.uint8(mixed)


@compiled
def _restore_detail(
    new: NDArray[np.uint8],
    blended: NDArray[np.uint8],
    low: NDArray[np.uint8],
    gain: NDArray[np.float32],
    lost: NDArray[np.float32],
    history: NDArray[np.uint8],
    step: NDArray[np.int16],
) -> None:
    """Add to `blended` its detail, what differs from `low`: times `gain` for showing, times `lost` to carry on.

    `step` is what is shown less `new`, `history` what is carried on; `gain` and `lost` are (rows, W).
    """
    height, width = new.shape
    zero, half, most = np.float32(0), np.float32(0.5), np.float32(255)
    gains, losses = np.empty(width, dtype=np.float32), np.empty(width, dtype=np.float32)
    for row in range(height):
        enlarge_row(gain, row, height, gains)
        enlarge_row(lost, row, height, losses)
        for x in range(width):
            pixel = np.float32(blended[row, x])
            detail = pixel - np.float32(low[row, x])
            history[row, x] = np.uint8(np.int32(min(max(pixel + losses[x] * detail + half, zero), most)))
            step[row, x] = np.int16(np.floor(pixel - np.float32(new[row, x]) + gains[x] * detail + half))
