"""Take the flicker out of a stylised video, guided by the motion of its input.

The last smoothed picture is warped along the flow of the input and blended with the new one: the luminance at full
size, so that strokes are carried sharply, what is left of the colours at a quarter, where it costs next to nothing.

Measured on seven sequences at 640x360 (four of DAVIS, three of still cameras) with a style trained for coherence,
against one that was not: flicker removed frame by frame 61 %, smoothed 87 % (77 % at least) at 95 % of the sharpness
(87 % at least). A plain average along the flow reaches 87 % at 76 % of the sharpness. `benchmarks/smoothing.py`.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from .scene_cut import SceneCutDetector
from .stroke_detail import StrokeDetail

# Flow is computed on the input at half size, and smaller where that is still large.
FLOW_REDUCTION = 2
FLOW_SHORT_SIDE_MAX_PX = 360
# DIS needs some pixels for its pyramid; smaller pictures are left as they are.
FLOW_SHORT_SIDE_MIN_PX = 16
# Small pictures can afford DIS down to half of their own size, others stop at a quarter: at 640x360, where it costs
# 2 ms, 82 % instead of 76 % of the flicker removed at 96 % instead of 93 % of the sharpness; at 1280x720 it would 8 ms.
FINE_FLOW_SHORT_SIDE_MAX_PX = 240
# Trust, motion and detail are judged in blocks of this many pixels.
BLOCK_PX = 8
# Colours are carried at this part of the size: 79 instead of 76 % of the flicker removed, 81 % at full size.
COLOR_REDUCTION = 4
# Weights of the history at smoothing 1. What stands still is carried without resampling, so that it does not blur.
MOVING_WEIGHT = 0.75
STILL_WEIGHT = 0.95
# Motion in pixels a frame at which the weight is half way between them.
STILL_PX = 0.3
# Grey levels by which the input may differ along the flow before the history counts half.
RESIDUAL_HALF_TRUST = 12.0
# Grey levels by which the history may leave the range that the new picture has around a pixel.
RANGE_SLACK_LEVELS = 8
# Weights are int16 in units of one part in this.
FIXED_ONE = 256
STRIP_PX = 32
# Takes its luminance (ITU-R BT.601, as OpenCV's) from a colour.
_WITHOUT_LUMINANCE = np.eye(3) - np.array((0.299, 0.587, 0.114))
# Bilinear sampling at a fraction f of a pixel blurs by f (1 - f) px^2, an average of three pixels by 2/3 px^2; so much
# of what the latter takes away brings the former's loss back, and never more. Bicubic sampling would take 3 ms longer.
SAMPLING_BLUR = 1.5
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


@dataclass(frozen=True, slots=True)
class _Past:
    """What is carried on: the input's luminance at the size of the flow, the smoothed picture's luminance (H, W) at
    full size and its colours (h, w, 3) at a quarter."""

    grey: NDArray[np.uint8]
    luminance: NDArray[np.uint8]
    colors: NDArray[np.uint8]
    pts_s: Fraction


class FlowSmoother:
    """Blend the picture with the last smoothed one, warped by the flow of the input.

    With y the new picture, h the warped history and w = smoothing * trust * (0.75 where it moves, 0.95 where it does
    not), the blend is y + w (h - y) (Ruder et al. 2016, sec. 3, at run time; DIS flow, Kroeger et al. 2016). Trust
    falls with the residual of the warped input, which also finds occlusions; and the history is clamped to the range
    that y has around the pixel (Karis 2014), so that nothing is left of what has gone. `StrokeDetail` then brings back
    the detail of the strokes; that is shown but not carried on, or it would be raised again and again.
    """

    def __init__(self) -> None:
        self.cuts = 0
        self._cut_detector = SceneCutDetector()
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._detail = StrokeDetail()
        self._past: _Past | None = None
        # Kept for the pages of its 7 MB at 1280x720: fresh ones cost 2 ms a frame.
        self._full_flow = np.empty((0, 0, 2), dtype=np.float32)

    def reset(self) -> None:
        self._past = None
        self._cut_detector.reset()
        self._detail.reset()

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
        color_size = (-(-width // COLOR_REDUCTION), -(-height // COLOR_REDUCTION))
        # By halves, for which OpenCV has a path of three times the speed.
        half = cv2.resize(stylized, (-(-width // 2), -(-height // 2)), interpolation=cv2.INTER_AREA)
        colors = cv2.resize(half, color_size, interpolation=cv2.INTER_AREA)
        colors = np.asarray(colors, dtype=np.uint8).reshape(*color_size[::-1], 3)
        past, self._past = self._past, _Past(grey, luminance, colors, pts_s)
        is_cut = self._cut_detector.is_cut(grey)
        if past is None or past.luminance.shape != luminance.shape or not 0 < pts_s - past.pts_s <= GAP_MAX_S:
            return self._first(stylized)
        if is_cut:
            self.cuts += 1
            return self._first(stylized)
        small_flow = self._motion(grey, past.grey)
        blocks = (max(1, width // BLOCK_PX), max(1, height // BLOCK_PX))
        trust = _trust(grey, _warp(past.grey, small_flow), blocks)
        if np.mean(trust < CUT_TRUST) > CUT_SHARE:
            self.cuts += 1
            return self._first(stylized)
        # In pixels of the whole picture from here on.
        flow = cv2.transform(small_flow, np.diag((width / flow_size[0], height / flow_size[1])))
        block_flow = _block_means(flow, blocks)
        weight = smoothing * trust * _weight(block_flow)
        if self._full_flow.shape[:2] != (height, width):
            self._full_flow = np.empty((height, width, 2), dtype=np.float32)
        cv2.resize(flow, (width, height), dst=self._full_flow)
        carried = _carry(luminance, past.luminance, self._full_flow, block_flow)
        step = _step(luminance, carried, weight)
        blended = _added(luminance, step)
        color_flow = cv2.resize(block_flow, color_size) / COLOR_REDUCTION
        color_step = _step(colors, _clamped(colors, _warp(past.colors, color_flow)), weight)
        self._past = _Past(grey, blended, _added(colors, color_step), pts_s)
        return _corrected(stylized, cv2.add(step, self._detail.missing(luminance, blended, blocks)), color_step)

    def _first(self, stylized: NDArray[np.uint8]) -> NDArray[np.uint8]:
        self._detail.reset()
        return stylized

    def _motion(self, grey: NDArray[np.uint8], last_grey: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return where each pixel of this frame was in the last one, (H, W, 2) in pixels."""
        self._flow.setFinestScale(1 if min(grey.shape) <= FINE_FLOW_SHORT_SIDE_MAX_PX else 2)
        flow = self._flow.calc(grey, last_grey, np.zeros((*grey.shape, 2), dtype=np.float32))
        return np.asarray(flow, dtype=np.float32)


def _luminance(rgb: MatLike) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def _warp(picture: MatLike, flow: MatLike, how: int = cv2.INTER_LINEAR) -> MatLike:
    """Sample picture(p + flow(p))."""
    # OpenCV 5.0's stubs do not know that a map of pairs needs no second map.
    return cv2.remap(picture, flow, None, how | cv2.WARP_RELATIVE_MAP, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload, no-any-return]


def _block_means(flow: MatLike, blocks: tuple[int, int]) -> NDArray[np.float32]:
    means = cv2.resize(flow, blocks, interpolation=cv2.INTER_AREA)
    return np.asarray(means, dtype=np.float32).reshape(*blocks[::-1], 2)


def _trust(grey: NDArray[np.uint8], warped: MatLike, blocks: tuple[int, int]) -> NDArray[np.float32]:
    """Return how far the history can be trusted, 0..1, for each block; `blocks` is (width, height)."""
    residual = cv2.blur(cv2.absdiff(warped, grey), (3, 3))
    # The largest around: what comes out from behind something is a thin strip (sample clip, its exact occlusion: 2.6
    # instead of 3.0 levels from the unsmoothed picture there; 4.5 before blocks from beyond the rim counted for none).
    residual = cv2.dilate(residual, np.ones((3, 3), dtype=np.uint8))
    residual = cv2.resize(residual, blocks, interpolation=cv2.INTER_AREA)
    return np.asarray(np.exp2(-np.square(residual / np.float32(RESIDUAL_HALF_TRUST))), dtype=np.float32)


def _weight(flow: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the weight of a trusted history for each block, by how far it moves; 0 where it was out of the picture."""
    stillness = np.exp2(-np.square(flow / np.float32(STILL_PX)).sum(axis=-1))
    rows, columns = stillness.shape
    x = flow[..., 0] + BLOCK_PX * np.arange(columns)
    y = flow[..., 1] + BLOCK_PX * np.arange(rows)[:, np.newaxis]
    inside = (np.abs(x - x.clip(0, BLOCK_PX * (columns - 1))) < STILL_PX) & (
        np.abs(y - y.clip(0, BLOCK_PX * (rows - 1))) < STILL_PX
    )
    return np.asarray(inside * (MOVING_WEIGHT + (STILL_WEIGHT - MOVING_WEIGHT) * stillness), dtype=np.float32)


def _carry(luminance: NDArray[np.uint8], history: MatLike, flow: MatLike, block_flow: NDArray[np.float32]) -> MatLike:
    """Return the history where it is now, (H, W) uint8, within the range that `luminance` has around each pixel."""
    warped = _warp(history, flow)
    fraction = np.abs(block_flow - np.rint(block_flow))
    blur = SAMPLING_BLUR * fraction * (1 - fraction)
    for axis, window in enumerate(((3, 1), (1, 3))):
        lost = cv2.subtract(warped, cv2.blur(warped, window), dtype=cv2.CV_16S)
        warped = cv2.add(warped, _scaled(lost, blur[..., axis]), dtype=cv2.CV_8U)
    return _clamped(luminance, warped)


def _clamped(new: NDArray[np.uint8], history: MatLike) -> MatLike:
    """Return the history within the range that `new` has around each pixel and in each channel."""
    around = np.ones((3, 3), dtype=np.uint8)
    slack = np.full_like(new, RANGE_SLACK_LEVELS)
    return cv2.min(
        cv2.max(history, cv2.subtract(cv2.erode(new, around), slack)), cv2.add(cv2.dilate(new, around), slack)
    )


def _step(new: NDArray[np.uint8], history: MatLike, weight: NDArray[np.float32]) -> MatLike:
    """Return weight (history - new), int16."""
    return _scaled(cv2.subtract(history, new, dtype=cv2.CV_16S), weight)


def _added(picture: NDArray[np.uint8], step: MatLike) -> NDArray[np.uint8]:
    return np.asarray(cv2.add(picture, step, dtype=cv2.CV_8U), dtype=np.uint8)


def _scaled(picture: MatLike, factors: NDArray[np.float32]) -> MatLike:
    """Return `picture`, int16, times `factors`, which are enlarged to its size."""
    enlarged = cv2.resize((FIXED_ONE * factors).astype(np.int16), (picture.shape[1], picture.shape[0]))
    if picture.ndim == 3:
        enlarged = cv2.merge([enlarged] * picture.shape[2])
    return cv2.multiply(picture, enlarged, scale=1 / FIXED_ONE)


def _corrected(stylized: NDArray[np.uint8], luminance_step: MatLike, color_step: MatLike) -> NDArray[np.uint8]:
    """Add a correction of the luminance (H, W), and of the colours (h, w, 3) what changes no luminance, both int16."""
    only_color = cv2.resize(cv2.transform(color_step, _WITHOUT_LUMINANCE), (stylized.shape[1], stylized.shape[0]))
    result = np.empty_like(stylized)
    # In strips that stay in the cache: 5 ms less at 1280x720.
    for top in range(0, len(stylized), STRIP_PX):
        rows = slice(top, top + STRIP_PX)
        correction = cv2.add(only_color[rows], cv2.merge([luminance_step[rows]] * 3))
        result[rows] = _added(stylized[rows], correction)
    return result
