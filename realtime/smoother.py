"""Take the flicker out of a stylised video, guided by the motion of its input.

The last output is warped along the flow of the input and blended with the new one. Averaging alone eats brush strokes:
at 40 % of the flicker removed it kept 76 % of the sharpness where this keeps 95 % (five sequences at 640x360), since
here the fine detail of the blend is brought back to the energy that it has in the new frame. Only the luminance is
treated: it carries nearly all of the flicker at a third of the cost.
"""

from fractions import Fraction
from typing import Protocol

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from .scene_cut import SceneCutDetector

# Flow is computed on the input at half size, and smaller where that is still large: at a quarter of 640x360 it was too
# coarse to carry strokes (14 % instead of 33 % of the flicker removed at the same sharpness).
FLOW_REDUCTION = 2
FLOW_SHORT_SIDE_MAX_PX = 360
# DIS needs some pixels for its pyramid; smaller pictures are left as they are.
FLOW_SHORT_SIDE_MIN_PX = 16
# Trust and detail are judged in blocks of this many pixels.
BLOCK_PX = 8
# Weight of the history at smoothing 1. Above 0.8 the repeated raising of its detail brings in more flicker than the
# averaging takes out (five sequences at 640x360: 50 % removed at 0.7, 42 % at 0.85).
HISTORY_WEIGHT_MAX = 0.8
# Grey levels by which the input may differ along the flow before the history counts half.
RESIDUAL_HALF_TRUST = 16.0
# Side of the area whose detail is compared, in blocks; and the most by which detail is raised.
DETAIL_WINDOW_BLOCKS = 3
DETAIL_GAIN_MAX = 1.6
DETAIL_SIGMA_PX = 1.5
# A frame of which more than this share cannot be explained by motion begins a new scene, too.
CUT_SHARE = 0.6
CUT_TRUST = 0.25
# After a gap as long as this the history is of no use.
GAP_MAX_S = Fraction(1)


class Smoother(Protocol):
    """Makes a stylised video coherent, frame by frame. `tests/contract/test_smoother.py` holds all to this."""

    def smooth(
        self, content: NDArray[np.uint8], stylized: NDArray[np.uint8], pts_s: Fraction, *, smoothing: float
    ) -> NDArray[np.uint8]:
        """Return the smoothed picture; `smoothing` 0 returns `stylized` itself. Both inputs are (H, W, 3) RGB."""
        ...

    def reset(self) -> None:
        """Forget the past: after a seek or a change of style."""
        ...


class FlowSmoother:
    """Blend the luminance of the output with that of the last output, warped by the flow of the input.

    With l the luminance of the new picture, h the warped history and w = 0.8 smoothing trust, the blend is
    b = l + w (h - l) (Ruder et al. 2016, sec. 3, at run time; DIS flow, Kroeger et al. 2016); its detail
    d = b - blur(b) is then scaled to the local energy that the detail of l has. Trust falls with the residual of the
    warped input, which also finds occlusions.
    """

    def __init__(self) -> None:
        self.cuts = 0
        self._cut_detector = SceneCutDetector()
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._grey: NDArray[np.uint8] | None = None
        self._history: NDArray[np.uint8] | None = None
        self._pts_s = Fraction(0)

    def reset(self) -> None:
        self._grey = self._history = None
        self._cut_detector.reset()

    def smooth(
        self, content: NDArray[np.uint8], stylized: NDArray[np.uint8], pts_s: Fraction, *, smoothing: float
    ) -> NDArray[np.uint8]:
        height, width = stylized.shape[:2]
        reduction = max(FLOW_REDUCTION, -(-min(width, height) // FLOW_SHORT_SIDE_MAX_PX))
        flow_size = (width // reduction, height // reduction)
        if smoothing == 0 or min(flow_size) < FLOW_SHORT_SIDE_MIN_PX:
            self.reset()
            return stylized
        grey = _luminance(cv2.resize(content, flow_size, interpolation=cv2.INTER_AREA))
        luminance = _luminance(stylized)
        is_cut = self._cut_detector.is_cut(grey)
        last_grey, history, gap_s = self._grey, self._history, pts_s - self._pts_s
        self._grey, self._history, self._pts_s = grey, luminance, pts_s
        if last_grey is None or history is None or history.shape != luminance.shape or not 0 < gap_s <= GAP_MAX_S:
            return stylized
        if is_cut:
            self.cuts += 1
            return stylized
        # Where each pixel of this frame was in the last one, (H, W, 2) in pixels.
        flow = np.asarray(
            self._flow.calc(grey, last_grey, np.zeros((*grey.shape, 2), dtype=np.float32)), dtype=np.float32
        )
        trust = _trust(grey, _warp(last_grey, flow), (max(1, width // BLOCK_PX), max(1, height // BLOCK_PX)))
        if np.mean(trust < CUT_TRUST) > CUT_SHARE:
            self.cuts += 1
            return stylized
        scale = np.array((width / flow_size[0], height / flow_size[1]), dtype=np.float32)
        full_flow = np.asarray(cv2.resize(flow * scale, (width, height)), dtype=np.float32)
        weight = cv2.resize(HISTORY_WEIGHT_MAX * smoothing * trust, (width, height))
        difference = cv2.subtract(_warp(history, full_flow), luminance, dtype=cv2.CV_16S)
        blended = cv2.add(luminance, cv2.multiply(difference, weight, dtype=cv2.CV_16S), dtype=cv2.CV_8U)
        self._history = _with_detail_of(luminance, np.asarray(blended, dtype=np.uint8))
        correction = cv2.subtract(self._history, luminance, dtype=cv2.CV_16S)
        return np.asarray(cv2.add(stylized, cv2.merge([correction] * 3), dtype=cv2.CV_8U), dtype=np.uint8)


def _warp(picture: NDArray[np.uint8], flow: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Sample picture(p + flow(p)) bilinearly."""
    how = cv2.INTER_LINEAR | cv2.WARP_RELATIVE_MAP
    # OpenCV 5.0's stubs do not know that a map of pairs needs no second map.
    warped = cv2.remap(picture, flow, None, how, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
    return np.asarray(warped, dtype=np.uint8)


def _luminance(rgb: MatLike) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def _trust(grey: NDArray[np.uint8], warped: NDArray[np.uint8], blocks: tuple[int, int]) -> NDArray[np.float32]:
    """Return how far the history can be trusted, 0..1, for each block; `blocks` is (width, height)."""
    residual = cv2.resize(cv2.blur(cv2.absdiff(warped, grey), (3, 3)), blocks, interpolation=cv2.INTER_AREA)
    return np.asarray(np.exp2(-np.square(residual / np.float32(RESIDUAL_HALF_TRUST))), dtype=np.float32)


def _with_detail_of(sharp: NDArray[np.uint8], blended: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Raise the fine detail of `blended` to the local energy that it has in `sharp`."""
    low_sharp, low_blended = (cv2.GaussianBlur(picture, (5, 5), DETAIL_SIGMA_PX) for picture in (sharp, blended))
    wanted, found = _energy(sharp, low_sharp), _energy(blended, low_blended)
    # One grey level keeps noise on flat areas from being raised.
    gain = np.clip((wanted + 1) / (found + 1), 1, DETAIL_GAIN_MAX) - 1
    missing = cv2.multiply(
        cv2.subtract(blended, low_blended, dtype=cv2.CV_16S),
        cv2.resize(gain, (sharp.shape[1], sharp.shape[0])),
        dtype=cv2.CV_16S,
    )
    return np.asarray(cv2.add(blended, missing, dtype=cv2.CV_8U), dtype=np.uint8)


def _energy(picture: NDArray[np.uint8], low: MatLike) -> NDArray[np.float32]:
    """Return the mean absolute detail around each block."""
    size = (max(1, picture.shape[1] // BLOCK_PX), max(1, picture.shape[0] // BLOCK_PX))
    blocks = cv2.resize(cv2.absdiff(picture, low), size, interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.asarray(cv2.blur(blocks, (DETAIL_WINDOW_BLOCKS,) * 2), dtype=np.float32)
