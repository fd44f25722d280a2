"""Motion as a camera on a tripod sees it: what does not clearly move stands still.

Optical flow must say something everywhere. On asphalt or a wall it follows noise, by pixels; nobody sees that in the
video itself, but strokes that are carried along it swim. So where the camera stands still, motion counts only in areas
that it explains, as a whole; elsewhere it is nothing. Where a car passes for 62 frames the painted picture then changes
by 6 levels from frame to frame instead of 14 (mean, at the median frame), the input by 4.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from .motion import valid_mask, warp

# Slope, change and explanation are averaged by a Gaussian of this width.
SIGMA_PX = 2.0
# A camera stands still where so many parts of its picture do, of those with slopes of so many grey levels per pixel on
# a share of their area: median shares of six clips from cameras on tripods 0.42 to 0.99, of five from others 0 to 0.01.
CELLS = (16, 9)
SLOPE_MIN_LEVELS, SLOPE_SHARE = 4.0, 0.02
STILL_PX = 0.25
STATIC_SHARE = 0.25
# What moves: areas whose flow is consistent, longer than this, and takes so many grey levels off the change in at least
# this share of them.
MOVING_PX = 0.5
EXPLAINED_LEVELS, EXPLAINED_SHARE = 3.0, 0.1
SEAM_PX = 5

Flow = NDArray[np.float32]


def stands_still(grey: NDArray[np.uint8], flow: Flow) -> bool:
    """Return whether a frame (H, W) and its flow to another one (H, W, 2) look as if the camera had not moved.

    To be asked for many frames: something large that moves may fill one of them.
    """
    picture = grey.astype(np.float32)
    steps = [cv2.Sobel(picture, cv2.CV_32F, *axis, scale=1 / 8) for axis in ((1, 0), (0, 1))]
    has_slope = (_mean(np.hypot(steps[0], steps[1])) >= SLOPE_MIN_LEVELS).astype(np.float32)
    shares = cv2.resize(has_slope, CELLS, interpolation=cv2.INTER_AREA)
    motion = cv2.resize(flow * has_slope[..., np.newaxis], CELLS, interpolation=cv2.INTER_AREA)
    tells = shares > SLOPE_SHARE
    # The mean over a part, in which what noise does to the flow cancels out.
    lengths = np.linalg.norm(motion[tells], axis=-1) / shares[tells]
    # A picture without slopes tells nothing of its camera.
    return bool(tells.any()) and float(np.mean(lengths < STILL_PX)) >= STATIC_SHARE


class CameraVotes:
    """Asks frames of a scene whether the camera stands still: it does where most of them say so."""

    def __init__(self) -> None:
        self._asked = self._still = 0

    def add(self, grey: NDArray[np.uint8], flow: Flow) -> None:
        """Ask a frame, as `stands_still` takes it."""
        self._asked += 1
        self._still += stands_still(grey, flow)

    @property
    def is_static(self) -> bool:
        return 2 * self._still > self._asked


def hold_still(forth: Flow, back: Flow, *, grey: NDArray[np.uint8], following: NDArray[np.uint8]) -> tuple[Flow, Flow]:
    """Return the flows from `grey` (H, W) to another frame, `following`, and back, (H, W, 2), without what is none.

    For frames of a camera that stands still.
    """
    first, second = grey.astype(np.float32), following.astype(np.float32)
    change = _mean(np.abs(first - second))
    moves = _moves(forth, back, first, second, change), _moves(back, forth, second, first, change)
    return forth * moves[0], back * moves[1]


def _moves(
    flow: Flow, other: Flow, picture: NDArray[np.float32], target: NDArray[np.float32], change: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return where `flow` is motion, (H, W, 1) from 0 to 1 with soft seams."""
    explained = change - _mean(np.abs(warp(target, flow) - picture)) >= EXPLAINED_LEVELS
    candidates = valid_mask(flow, other) & (np.square(flow).sum(axis=-1) >= MOVING_PX**2)
    count, labels = cv2.connectedComponents(candidates.astype(np.uint8))
    sizes = np.bincount(labels.ravel(), minlength=count)
    seeds = np.bincount(labels.ravel(), weights=explained.ravel(), minlength=count)
    moving = seeds >= EXPLAINED_SHARE * sizes
    moving[0] = False  # what is no candidate
    # Explained areas count without being consistent, too: what comes into view beside something that moves.
    mask = cv2.dilate(
        (moving[labels] | explained).astype(np.uint8),
        cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * SEAM_PX + 1, 2 * SEAM_PX + 1)),
    )
    return np.asarray(cv2.GaussianBlur(mask.astype(np.float32), (0, 0), SIGMA_PX), dtype=np.float32)[..., np.newaxis]


def _mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(values, (0, 0), SIGMA_PX), dtype=np.float32)
