"""A frame at the small size at which its motion is looked at while it is stylised, and that motion."""

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

# Flow is computed on the input at half size, and halved again while it is larger than this. DIS on 320x180 instead of
# 640x360 pictures, down to the same size, costs half for a frame of 1280x720.
FLOW_SHORT_SIDE_MAX_PX = 270
# DIS needs some pixels for its pyramid; motion of smaller pictures cannot be told.
FLOW_SHORT_SIDE_MIN_PX = 16
# DIS stops at half of that size. Against a quarter the smoother removes, at 640x360, 82 instead of 76 % of the flicker
# at 96 instead of 93 % of the sharpness.
FLOW_FINEST_SCALE = 1


class SmallFlow:
    """DIS flow (Kroeger et al. 2016) of small luminances."""

    def __init__(self) -> None:
        self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._dis.setFinestScale(FLOW_FINEST_SCALE)

    def back(self, grey: NDArray[np.uint8], past: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the flow (h, w, 2) from `grey` to the last one, both (h, w), in pixels of theirs."""
        flow = self._dis.calc(grey, past, np.zeros((*grey.shape, 2), dtype=np.float32))
        return np.asarray(flow, dtype=np.float32)


def small_grey(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the luminance of (H, W, 3) RGB at the size of the flow, (h, w)."""
    return np.asarray(cv2.cvtColor(reduced(rgb, _flow_size(*rgb.shape[1::-1])), cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def reduced(picture: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return the picture at `size` (width, height), which is a half, a quarter ... of its own but for rounding."""
    smaller: MatLike = picture
    # By halves, for which OpenCV has a path of three times the speed.
    while smaller.shape[0] > 3 * size[1]:
        half = (-(-smaller.shape[1] // 2), -(-smaller.shape[0] // 2))
        smaller = cv2.resize(smaller, half, interpolation=cv2.INTER_AREA)
    # The shape, since OpenCV drops an axis of length 1.
    return np.asarray(cv2.resize(smaller, size, interpolation=cv2.INTER_AREA), dtype=np.uint8).reshape(*size[::-1], 3)


def _flow_size(width: int, height: int) -> tuple[int, int]:
    reduction = 2
    while min(width, height) // reduction > FLOW_SHORT_SIDE_MAX_PX:
        reduction *= 2
    return max(1, width // reduction), max(1, height // reduction)
