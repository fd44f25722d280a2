"""Measure how coherent stylisations of one video are: warping error, frame-difference error, sharpness.

Frame by frame, in memory that does not grow but for a few numbers a frame. Pictures are RGB uint8 outside and [0, 1]
inside, so that every figure is on that scale.

    E_warp   how far a picture differs from the last one along the motion of the input (Lai et al. 2018)
    FDB      how far its change differs from the input's change (arXiv 2102.05822); needs no motion
    sharpness  variance of the Laplacian of the luminance after a Gaussian: noise of single pixels does not count

The input's own E_warp is the floor that no stylisation goes below, that of frame-by-frame stylisation the ceiling.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean

import cv2
import numpy as np
from numpy.typing import NDArray

from .motion import SHORT_SIDE_MIN_PX, MotionEstimator, valid_mask, warp
from .scene_cut import SceneCutDetector

SHARPNESS_SIGMA_PX = 1.0


@dataclass(slots=True)
class Series:
    """The figures of one video, one for each frame but the first; NaN where nothing can be compared, as at a cut."""

    warping_errors: list[float] = field(default_factory=list)
    frame_differences: list[float] = field(default_factory=list)
    sharpnesses: list[float] = field(default_factory=list)

    @property
    def warping_error(self) -> float:
        """The mean over pairs; NaN without any."""
        return _mean(self.warping_errors)

    @property
    def frame_difference(self) -> float:
        return _mean(self.frame_differences)

    @property
    def sharpness(self) -> float:
        """The mean over all frames, the first among them."""
        return _mean(self.sharpnesses)


class TemporalMeter:
    """Measures an input and any number of stylisations of it side by side.

    `source` and `outputs` grow with every frame; `cuts` are the indices of frames that begin a scene: the pair before
    each counts for nothing. Pictures whose short side is under `SHORT_SIDE_MIN_PX` have no E_warp.
    """

    def __init__(self, outputs: int) -> None:
        self.source = Series()
        self.outputs = [Series() for _ in range(outputs)]
        self.cuts: list[int] = []
        self.frames = 0
        self._motion = MotionEstimator()
        self._cut_detector = SceneCutDetector()
        self._last: tuple[NDArray[np.uint8], list[NDArray[np.float32]]] | None = None

    def add(
        self,
        frame: NDArray[np.uint8],
        stylized: Sequence[NDArray[np.uint8]],
        *,
        flow: NDArray[np.float32] | None = None,
    ) -> None:
        """Take the next frame of the input and of each output, all (H, W, 3).

        `flow` is the true motion from the last frame to this one where it is known, (H, W, 2); else it is estimated.
        """
        grey = np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
        pictures = [_unit(picture) for picture in (frame, *stylized)]
        is_cut = self._cut_detector.is_cut(grey)
        if is_cut:
            self.cuts.append(self.frames)
        series = [self.source, *self.outputs]
        for values, picture in zip(series, pictures, strict=True):
            values.sharpnesses.append(sharpness(picture))
        if self._last is not None:
            warping, differences = self._compare(*self._last, grey, pictures, flow, is_cut=is_cut)
            for values, error, difference in zip(series, warping, differences, strict=True):
                values.warping_errors.append(error)
                values.frame_differences.append(difference)
        self._last = grey, pictures
        self.frames += 1

    def _compare(
        self,
        last_grey: NDArray[np.uint8],
        last: list[NDArray[np.float32]],
        grey: NDArray[np.uint8],
        pictures: list[NDArray[np.float32]],
        flow: NDArray[np.float32] | None,
        *,
        is_cut: bool,
    ) -> tuple[list[float], list[float]]:
        """Return E_warp and FDB of the pair, input first."""
        nothing = [float("nan")] * len(pictures)
        if is_cut:
            return nothing, nothing
        input_change = pictures[0] - last[0]
        differences = [
            float(np.square(picture - before - input_change).mean())
            for picture, before in zip(pictures, last, strict=True)
        ]
        if min(grey.shape) < SHORT_SIDE_MIN_PX:
            return nothing, differences
        forward = flow if flow is not None else self._motion.estimate(last_grey, grey)
        valid = valid_mask(forward, self._motion.estimate(grey, last_grey))
        return [
            warping_error(before, picture, forward, valid) for before, picture in zip(last, pictures, strict=True)
        ], differences


def warping_error(
    now: NDArray[np.float32], following: NDArray[np.float32], flow: NDArray[np.float32], valid: NDArray[np.bool_]
) -> float:
    """Return the mean over valid pixels and channels of (W(following, flow) - now)^2; NaN where nothing is valid."""
    if not valid.any():
        return float("nan")
    return float(np.square(warp(following, flow)[valid] - now[valid]).mean())


def sharpness(picture: NDArray[np.float32]) -> float:
    """Return the variance of the Laplacian of a picture (H, W, 3) in [0, 1], after a Gaussian of one pixel."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    smooth = cv2.GaussianBlur(grey, (0, 0), SHARPNESS_SIGMA_PX)
    return float(np.var(cv2.Laplacian(smooth, cv2.CV_32F)))


def flicker_removed(*, floor: float, ceiling: float, ours: float) -> float | None:
    """Return (ceiling - ours) / (ceiling - floor), 1 for all of it; None where there is no flicker to remove."""
    return (ceiling - ours) / (ceiling - floor) if ceiling > floor else None


def _unit(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray(rgb, dtype=np.float32) / np.float32(255)


def _mean(values: list[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return fmean(known) if known else float("nan")
