"""Tell a camera whose pictures have gone black or do not change any more: both look like a working one to OpenCV."""

from enum import Enum

import numpy as np
from numpy.typing import NDArray

# Every n-th pixel of both directions: 3600 of a 720p picture.
SAMPLE_STEP_PX = 16
# A covered lens gives noise of a few levels; the darkest room that a webcam still shows has a mean above this.
BLACK_LEVEL = 6.0
BLACK_S = 2.0
# The noise of a sensor changes every picture; only a stuck driver repeats one, and what has no sensor: a screen that is
# captured. So that this is not interrupted all the time, each wait in which nothing changes is twice the one before.
FROZEN_S = 5.0
FROZEN_MAX_S = 320.0


class Fault(Enum):
    """What is wrong with the pictures themselves."""

    FINE = "fine"
    BLACK = "black"
    FROZEN = "frozen"


class CameraWatch:
    """Looks at every picture of a camera; one thread. `has_changed` tells that a new picture came since `rearm`."""

    def __init__(self) -> None:
        self._last: NDArray[np.uint8] | None = None
        self._frozen_s = FROZEN_S
        self._bright_s: float | None = None
        self.has_changed = False
        self._changed_s = 0.0

    def see(self, rgb: NDArray[np.uint8], now_s: float) -> Fault:
        """Judge a picture, (H, W, 3), that came at `now_s`; it is kept, and must not be written to."""
        few = rgb[::SAMPLE_STEP_PX, ::SAMPLE_STEP_PX]
        if self._bright_s is None or few.mean() > BLACK_LEVEL:
            self._bright_s = now_s
        # A few pixels first: as a rule they differ, and the rest need not be looked at.
        last = self._last
        if last is None or not (
            np.array_equal(few, last[::SAMPLE_STEP_PX, ::SAMPLE_STEP_PX]) and np.array_equal(rgb, last)
        ):
            self._changed_s = now_s
            self._frozen_s = FROZEN_S
            self.has_changed = True
        self._last = rgb
        if now_s - self._bright_s >= BLACK_S:
            return Fault.BLACK
        return Fault.FROZEN if now_s - self._changed_s >= self._frozen_s else Fault.FINE

    def rearm(self, now_s: float) -> None:
        """Begin to wait anew after the camera was opened again; the last picture stays known.

        Where none had changed since the last time, the wait for a picture to change becomes longer.
        """
        if self._last is not None and not self.has_changed:
            self._frozen_s = min(2 * self._frozen_s, FROZEN_MAX_S)
        self._changed_s = self._bright_s = now_s
        self.has_changed = False
