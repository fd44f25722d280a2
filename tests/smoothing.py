"""A smoother together with what tells it how the input moves, as the pipelines have them."""

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from realtime.input_motion import Look, MotionTracker
from realtime.smoother import Smoother

Picture = NDArray[np.uint8]


class SmoothedInput:
    """Smooths pictures by the motion of the frames that they were made of."""

    def __init__(self, smoother: Smoother) -> None:
        self.smoother = smoother
        self._motion = MotionTracker()

    def smooth(self, content: Picture, stylized: Picture, pts_s: Fraction, *, smoothing: float) -> Picture:
        look = self._motion.look(content, pts_s) if smoothing else Look(None)
        return self.smoother.smooth(look, stylized, smoothing=smoothing)
