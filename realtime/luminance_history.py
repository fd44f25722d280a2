"""Carry the luminance of a smoothed video from frame to frame at full size, so that brush strokes stay sharp.

The smoother (`smoother.py`) tells where everything has gone and how far that can be trusted; here the last luminance is
sampled there, kept within what the new picture has around each pixel, blended with it, and its detail restored.
"""

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from .stroke_detail import StrokeDetail

# Grey levels by which the history may leave the range that the new picture has around a pixel.
RANGE_SLACK_LEVELS = 8
# Bilinear sampling at a fraction f of a pixel takes detail away in proportion to f (1 - f); this is how much of it is
# given back. Bicubic sampling would take 4 ms longer.
SAMPLING_LOSS = 0.5
# Factors of pictures are int16 in units of one part in this.
FIXED_ONE = 256


class _Buffers:
    """Full-size pictures, kept for their memory: fresh pages for all of them cost 3 ms a frame at 1280x720.

    Of their contents only `history`, the smoothed luminance, outlives a frame.
    """

    def __init__(self, height: int, width: int) -> None:
        size = (height, width)
        self.flow = np.empty((*size, 2), dtype=np.float32)
        self.luminance, self.history, self.blended, self.bound = (np.empty(size, dtype=np.uint8) for _ in range(4))
        self.step, self.detail, self.factors, self.lost = (np.empty(size, dtype=np.int16) for _ in range(4))


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

    def blend(self, flow: MatLike, block_flow: NDArray[np.float32], weight: NDArray[np.float32]) -> MatLike:
        """Blend the new luminance with the history; return what is to be added to the new one for showing, int16.

        `flow` (h, w, 2) of any size leads to the last frame in pixels of this one; so does `block_flow`, its means in
        the blocks of `weight`, the history's share. The result is (H, W) and valid until the next frame.
        """
        buffers, new = self._buffers, self._buffers.luminance
        cv2.resize(flow, new.shape[::-1], dst=buffers.flow)
        blended = warp(buffers.history, buffers.flow, dst=buffers.blended)
        clamp(blended, new, bound=buffers.bound)
        step = self._scaled(cv2.subtract(blended, new, dst=buffers.step, dtype=cv2.CV_16S), weight, dst=buffers.step)
        cv2.add(new, step, dst=blended, dtype=cv2.CV_8U)
        detail, gain = self._detail.of(new, blended, weight.shape[::-1], dst=buffers.detail)
        fraction = np.abs(block_flow - np.rint(block_flow))
        lost = weight * np.float32(SAMPLING_LOSS) * (fraction * (1 - fraction)).mean(axis=-1)
        cv2.add(blended, self._scaled(detail, lost, dst=buffers.lost), dst=buffers.history, dtype=cv2.CV_8U)
        return cv2.add(step, self._scaled(detail, gain, dst=detail), dst=step)

    def _scaled(self, picture: MatLike, factors: NDArray[np.float32], *, dst: MatLike) -> MatLike:
        """Return `picture`, int16, times `factors`, which are enlarged to its size."""
        fixed = (FIXED_ONE * factors).astype(np.int16)
        enlarged = cv2.resize(fixed, picture.shape[::-1], dst=self._buffers.factors)
        return cv2.multiply(picture, enlarged, scale=1 / FIXED_ONE, dst=dst)


def warp(picture: MatLike, flow: MatLike, *, dst: MatLike | None = None) -> MatLike:
    """Sample picture(p + flow(p)), bilinear; beyond its rim the picture is repeated."""
    # OpenCV 5.0's stubs do not know that a map of pairs needs no second map.
    return cv2.remap(  # type: ignore[call-overload, no-any-return]
        picture, flow, None, cv2.INTER_LINEAR | cv2.WARP_RELATIVE_MAP, dst=dst, borderMode=cv2.BORDER_REPLICATE
    )


def clamp(history: MatLike, new: MatLike, *, bound: MatLike | None = None) -> MatLike:
    """Bring `history` within the range that `new` has around each pixel and in each channel, in place; return it.

    Both are uint8 of one shape; `bound` is memory of the same shape for what comes between.
    """
    around = np.ones((3, 3), dtype=np.uint8)
    slack = np.full(4, RANGE_SLACK_LEVELS, dtype=np.float64)
    bound = cv2.erode(new, around, dst=bound)
    cv2.max(history, cv2.subtract(bound, slack, dst=bound), dst=history)
    bound = cv2.dilate(new, around, dst=bound)
    return cv2.min(history, cv2.add(bound, slack, dst=bound), dst=history)
