"""What is seen of the input while it is stylised: how it has moved since the last frame, and where scenes begin.

Once a frame, for the noise filter before the network and for the smoother behind it.
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from .scene_cut import SceneCutDetector
from .small_grey import FLOW_SHORT_SIDE_MIN_PX, SmallFlow, small_grey

# After a gap as long as this the last frame is of no use.
GAP_MAX_S = Fraction(1)


@dataclass(frozen=True, slots=True)
class Motion:
    """How a frame comes out of the one before, at a small size.

    `grey` and `past` are their luminances (h, w); `flow` (h, w, 2) leads from the frame to the last one, in pixels of
    this size.
    """

    grey: NDArray[np.uint8]
    past: NDArray[np.uint8]
    flow: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Look:
    """A frame as it follows the one before: `motion` is None where it does not, `is_cut` where a new scene begins."""

    motion: Motion | None
    is_cut: bool = False


class MotionTracker:
    """Looks at each frame after the other; those of another size, or after a gap, have no motion."""

    def __init__(self) -> None:
        self._cuts = SceneCutDetector()
        self._flow = SmallFlow()
        self._past: NDArray[np.uint8] | None = None
        self._past_pts_s = Fraction(0)

    def look(self, rgb: NDArray[np.uint8], pts_s: Fraction, *, is_repeat: bool = False) -> Look:
        """Return how a frame (H, W, 3) follows the last one; one that `is_repeat` shows what that did."""
        follows = self._past is not None and 0 < pts_s - self._past_pts_s <= GAP_MAX_S
        self._past_pts_s = pts_s
        if is_repeat and follows and self._past is not None:
            return Look(Motion(self._past, self._past, np.zeros((*self._past.shape, 2), dtype=np.float32)))
        past, self._past = self._past, small_grey(rgb)
        if self._cuts.is_cut(self._past):
            return Look(None, is_cut=follows)
        if not follows or past is None or past.shape != self._past.shape or min(past.shape) < FLOW_SHORT_SIDE_MIN_PX:
            return Look(None)
        return Look(Motion(self._past, past, self._flow.back(self._past, past)))
