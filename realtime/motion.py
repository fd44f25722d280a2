"""Optical flow as a ruler: estimate it, read it, and tell where it can be trusted.

For measuring (`temporal_metric.py`), where being right matters and time does not; the smoother has a faster one of its
own. Flow is (H, W, 2) float32: what `flow[y, x]` = (x, y) pixels away in the other picture shows the same point.
"""

import os
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from .errors import InputError

# Forward and backward flow may disagree by so much (Sundaram et al. 2010, eq. 5) ...
CONSISTENCY_RELATIVE, CONSISTENCY_ABSOLUTE_PX2 = 0.01, 0.5
# ... and flow may change by so much from pixel to pixel (Ruder et al. 2016, sec. 3, eq. 6).
BOUNDARY_RELATIVE, BOUNDARY_ABSOLUTE = 0.01, 0.002
# DIS needs some pixels for its pyramid: nothing can be measured on less.
SHORT_SIDE_MIN_PX = 16


# DIS at full size instead of the preset's half, with twice its refinement and smoother flow. Error in pixels where the
# flow is held to be valid, preset medium -> this: sample clip 0.16 -> 0.15, 0.14 -> 0.13, 0.25 -> 0.20, 0.40 -> 0.38;
# Sintel pair 0.23 -> 0.13; FlyingChairs 0.61 -> 0.35, 0.27 -> 0.23, 0.50 -> 0.35, for four times the time.
FINEST_SCALE = 0
REFINEMENT_ITERATIONS = 10
REFINEMENT_SMOOTHNESS = 40.0


class MotionEstimator:
    """DIS flow (Kroeger et al. 2016) at full size."""

    def __init__(self) -> None:
        self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._dis.setFinestScale(FINEST_SCALE)
        self._dis.setVariationalRefinementIterations(REFINEMENT_ITERATIONS)
        self._dis.setVariationalRefinementAlpha(REFINEMENT_SMOOTHNESS)

    def estimate(
        self, grey: NDArray[np.uint8], other: NDArray[np.uint8], *, initial: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Return the flow from `grey` to `other`, both (H, W) and at least SHORT_SIDE_MIN_PX each way.

        It is searched for around `initial`, (H, W, 2), or around no motion.
        """
        begin = np.zeros((*grey.shape, 2), dtype=np.float32) if initial is None else initial.copy()
        flow = self._dis.calc(grey, other, begin)
        return np.asarray(flow, dtype=np.float32)


def warp(picture: NDArray[np.float32], flow: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return W(I, u)(p) = I(p + u(p)), bilinear; `picture` is (H, W) or (H, W, C). Beyond its rim it is repeated."""
    # OpenCV 5.0's stubs do not know that a map of pairs needs no second map.
    warped = cv2.remap(  # type: ignore[call-overload]
        picture, flow, None, cv2.INTER_LINEAR | cv2.WARP_RELATIVE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(warped, dtype=np.float32)


def valid_mask(forward: NDArray[np.float32], backward: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return where `forward` (H, W, 2) leads to the same point of the next picture: (H, W).

    With u = `forward`, v = `backward` and v~ = W(v, u): |v~ + u|^2 <= 0.01 (|v~|^2 + |u|^2) + 0.5, and no motion
    boundary, |grad u_x|^2 + |grad u_y|^2 <= 0.01 |u|^2 + 0.002. Where u leaves the picture, as the files' sign for an
    unknown flow (10^9 and more) does, there is nothing to compare.
    """
    back = warp(backward, forward)
    length, back_length = _squared(forward), _squared(back)
    consistent = _squared(back + forward) <= CONSISTENCY_RELATIVE * (back_length + length) + CONSISTENCY_ABSOLUTE_PX2
    steepness = sum(_squared(_central_difference(forward, axis)) for axis in (0, 1))
    smooth = steepness <= BOUNDARY_RELATIVE * length + BOUNDARY_ABSOLUTE
    return np.asarray(consistent & smooth & _lands_inside(forward), dtype=np.bool_)


def read_flow(path: Path) -> NDArray[np.float32]:
    """Read a Middlebury .flo file.

    Raises:
        InputError: it is missing or no such file.
    """
    try:
        flow = cv2.readOpticalFlow(os.fspath(path)) if path.is_file() else None
    except cv2.error:  # a size in the header that no memory holds
        flow = None
    if flow is None:
        raise InputError(f"{path} cannot be read as optical flow; expected a Middlebury .flo file")
    return np.asarray(flow, dtype=np.float32)


def _squared(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.square(vectors).sum(axis=-1), dtype=np.float32)


def _central_difference(flow: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    x, y = (0, 1) if axis == 0 else (1, 0)
    return np.asarray(cv2.Sobel(flow, cv2.CV_32F, x, y, ksize=1, scale=0.5, borderType=cv2.BORDER_REPLICATE))


def _lands_inside(flow: NDArray[np.float32]) -> NDArray[np.bool_]:
    height, width = flow.shape[:2]
    x = flow[..., 0] + np.arange(width, dtype=np.float32)
    y = flow[..., 1] + np.arange(height, dtype=np.float32)[:, np.newaxis]
    return np.asarray((x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1), dtype=np.bool_)
