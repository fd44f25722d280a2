"""Tell a camera whose pictures have gone black or do not change any more: both look like a working one to OpenCV."""

from enum import Enum

import numpy as np
from numpy.typing import NDArray

# Every n-th pixel of both directions: 3600 of a 720p picture.
SAMPLE_STEP_PX = 16
# A covered lens gives noise of a few levels; the darkest room that a webcam still shows has a mean above this.
BLACK_LEVEL = 6.0
BLACK_S = 2.0
# The noise of a sensor changes some sample with every picture; only a stuck driver or a still repeats them all.
FROZEN_S = 5.0


class Fault(Enum):
    """What is wrong with the pictures themselves."""

    FINE = "fine"
    BLACK = "black"
    FROZEN = "frozen"


class CameraWatch:
    """Looks at every picture of a camera; one thread. `has_changed` tells that a new picture came since `rearm`."""

    def __init__(self) -> None:
        self._last: NDArray[np.uint8] | None = None
        self._bright_s: float | None = None
        self.has_changed = False
        self._changed_s = 0.0

    def see(self, rgb: NDArray[np.uint8], now_s: float) -> Fault:
        """Judge a picture, (H, W, 3), that came at `now_s`."""
        few = rgb[::SAMPLE_STEP_PX, ::SAMPLE_STEP_PX].copy()
        if self._bright_s is None or few.mean() > BLACK_LEVEL:
            self._bright_s = now_s
        if self._last is None or not np.array_equal(few, self._last):
            self._changed_s = now_s
            self.has_changed = True
        self._last = few
        if now_s - self._bright_s >= BLACK_S:
            return Fault.BLACK
        return Fault.FROZEN if now_s - self._changed_s >= FROZEN_S else Fault.FINE

    def rearm(self, now_s: float) -> None:
        """Begin to wait anew after the camera was opened again; the last picture stays known."""
        self._changed_s = self._bright_s = now_s
        self.has_changed = False
