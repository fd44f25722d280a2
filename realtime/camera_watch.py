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
# captured. That the camera is opened again brings no other picture there, and each time the next wait is twice as long.
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
        self._has_sensor = True
        self._armed_s = 0.0
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
            self.has_changed = True
            if now_s - self._armed_s < FROZEN_S:
                self._frozen_s = FROZEN_S
                self._has_sensor = True
        self._last = rgb
        if now_s - self._bright_s >= BLACK_S:
            return Fault.BLACK
        return Fault.FROZEN if now_s - self._changed_s >= self._frozen_s else Fault.FINE

    def rearm(self, now_s: float) -> None:
        """Begin to wait anew after the camera was opened again; the last picture stays known.

        Where the last time brought no other picture soon, the wait for one becomes longer.
        """
        if not self._has_sensor:
            self._frozen_s = min(2 * self._frozen_s, FROZEN_MAX_S)
        self._has_sensor = False
        self._changed_s = self._bright_s = self._armed_s = now_s
        self.has_changed = False
