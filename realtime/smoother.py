"""Take the flicker out of a stylised video, guided by the motion of its input.

What flickers in a stylised video, and what averaging does not blur, are the larger patches of tone and colour: so only these are
smoothed along the motion; the brush strokes on top stay those of the frame.
"""

from fractions import Fraction
from typing import Protocol, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

Array = TypeVar("Array", NDArray[np.uint8], NDArray[np.float32])

# The patches and the flow live at this fraction of the picture. DIS flow costs 0.3 ms at 320x180 (two cores).
REDUCTION = 4
# Pictures with a shorter side at reduced size are left alone: DIS needs some pixels for its pyramid.
REDUCED_SIDE_MIN_PX = 16
# Grey levels by which the input may differ along the flow before the history counts half.
RESIDUAL_SIGMA = 8.0
# Squared forward-backward error, in reduced pixels, from which the flow counts as occluded (Sundaram et al. 2010: 0.01 |u|^2 + 0.5).
OCCLUSION_SLOPE = 0.01
OCCLUSION_OFFSET_PX2 = 0.5
# History is clamped to the local mean +- this many standard deviations of the new frame (variance clipping, Salvi 2016).
CLIP_DEVIATIONS = 1.25
CLIP_MARGIN_LEVELS = 4.0
# A frame of which more than this share cannot be explained by motion is the first of a new scene.
CUT_SHARE = 0.6
# After a gap as long as this the history is of no use.
GAP_MAX_S = Fraction(1)


class Smoother(Protocol):
    """Makes a stylised video coherent, frame by frame. `tests/contract/test_smoother.py` holds every smoother to this."""

    def smooth(
        self, content: NDArray[np.uint8], stylized: NDArray[np.uint8], pts_s: Fraction, *, smoothing: float
    ) -> NDArray[np.uint8]:
        """Return the smoothed picture; `smoothing` 0 returns `stylized` itself. Inputs are (H, W, 3) RGB of one size."""
        ...

    def reset(self) -> None:
        """Forget the past: after a seek or a change of style."""
        ...


class FlowSmoother:
    """Blend the low frequencies of the output with those of the last output, warped by the flow of the input.

    With L the reduced picture, H the reduced history warped to this frame and w the weight, the output is
    y + up(w (H - L)). The weight falls with the residual of the warped input and is 0 where forward and backward flow
    disagree (Ruder et al. 2016, sec. 3.2); H is clamped to the neighbourhood's statistics.
    """

    def __init__(self) -> None:
        self._flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._grey: NDArray[np.uint8] | None = None
        self._history: NDArray[np.float32] | None = None
        self._pts_s = Fraction(0)
        self.cuts = 0

    def reset(self) -> None:
        self._grey = self._history = None

    def smooth(
        self, content: NDArray[np.uint8], stylized: NDArray[np.uint8], pts_s: Fraction, *, smoothing: float
    ) -> NDArray[np.uint8]:
        height, width = stylized.shape[:2]
        size = (width // REDUCTION, height // REDUCTION)
        if smoothing == 0 or min(size) < REDUCED_SIDE_MIN_PX:
            self.reset()
            return stylized
        grey = cv2.cvtColor(cv2.resize(content, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
        patches = cv2.resize(stylized, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        gap_s = pts_s - self._pts_s
        last_grey, last_history = self._grey, self._history
        self._grey, self._history, self._pts_s = grey, patches, pts_s
        if last_grey is None or last_history is None or last_grey.shape != grey.shape or not 0 < gap_s <= GAP_MAX_S:
            return stylized
        back = self._flow.calc(grey, last_grey, None)  # where each pixel of this frame was in the last one
        forward = self._flow.calc(last_grey, grey, None)
        weight = smoothing * _reliability(grey, last_grey, back, forward)
        if np.mean(weight < 0.1 * smoothing) > CUT_SHARE:
            self.cuts += 1
            return stylized
        history = _clamped(_warp(last_history, back), patches)
        correction = weight[..., np.newaxis] * (history - patches)
        self._history = patches + correction
        return _add_enlarged(stylized, correction)


def _reliability(
    grey: NDArray[np.uint8], last_grey: NDArray[np.uint8], back: NDArray[np.float32], forward: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return how far the history can be trusted at each pixel, (H, W) in 0..1."""
    residual = cv2.absdiff(_warp(last_grey, back), grey).astype(np.float32)
    trust = np.exp2(-np.square(cv2.blur(residual, (3, 3)) / RESIDUAL_SIGMA))
    returned = _warp(forward, back)
    error = np.square(back + returned).sum(axis=2)
    length = np.square(back).sum(axis=2) + np.square(returned).sum(axis=2)
    trust[error > OCCLUSION_SLOPE * length + OCCLUSION_OFFSET_PX2] = 0
    return np.asarray(trust, dtype=np.float32)


def _warp(picture: Array, flow: NDArray[np.float32]) -> Array:
    """Sample picture(p + flow(p)) bilinearly."""
    height, width = flow.shape[:2]
    x = flow[..., 0] + np.arange(width, dtype=np.float32)
    y = flow[..., 1] + np.arange(height, dtype=np.float32)[:, np.newaxis]
    return cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _clamped(history: NDArray[np.float32], patches: NDArray[np.float32]) -> NDArray[np.float32]:
    mean = cv2.blur(patches, (3, 3))
    deviation = np.sqrt(np.maximum(cv2.blur(np.square(patches), (3, 3)) - np.square(mean), 0))
    reach = CLIP_DEVIATIONS * deviation + CLIP_MARGIN_LEVELS
    return np.clip(history, mean - reach, mean + reach)


def _add_enlarged(stylized: NDArray[np.uint8], correction: NDArray[np.float32]) -> NDArray[np.uint8]:
    height, width = stylized.shape[:2]
    enlarged = cv2.resize(correction, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.add(stylized, enlarged, dtype=cv2.CV_8U), dtype=np.uint8)
