"""The sample clip: 210 frames of a made-up coast with exact optical flow and occlusion.

Four seconds in a bay, a hard cut, three seconds in a village street. Every pixel knows the surface
point it shows, so motion is computed, not estimated: solids by their rigid pose, ground by the
camera, the sky (clouds and far mountains painted on it) by the camera's turn alone. Water moves as
the still plane z = 0; ripples, foam and glints, like the shadows of moving things, are shading that
travels over it and are not in the flow. Leaves fray the rims of trees, by which some tens of pixels
a frame flicker. Top of the sample package: `render.py` and the tests read it.
"""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from .buffer import GeometryBuffer, fill_buffer, forward_flow
from .coast import build_coast
from .place import Place
from .shading import develop, shade
from .street import build_street

FRAME_COUNT = 210
FRAME_RATE = 30
# Index of the first frame after the hard cut.
CUT_FRAME = 120
# Colour is computed on a grid this many times finer each way and averaged.
_SUPERSAMPLING = 2


@dataclass(frozen=True, slots=True)
class RenderedFrame:
    """One frame: sRGB `rgb` (H, W, 3), `flow` (H, W, 2) in pixels (x, y) to the next frame, and
    `occluded` (H, W), true where the surface point is hidden or outside the next frame."""

    rgb: NDArray[np.uint8]
    flow: NDArray[np.float32]
    occluded: NDArray[np.bool_]


def render_frame(index: int, width: int = 1280, height: int = 720) -> RenderedFrame:
    """Render frame `index`, 0 to FRAME_COUNT - 1.

    Across the cut and after the last frame there is no next view: flow is zero, all is occluded.

    Raises:
        IndexError: There is no such frame.
    """
    flow, occluded = _motion(index, index + 1, width, height)
    return RenderedFrame(render_picture(index, width, height), flow, occluded)


def render_picture(index: int, width: int = 1280, height: int = 720) -> NDArray[np.uint8]:
    """Render only the picture of a frame, sRGB (H, W, 3)."""
    place, seconds = locate(index)
    fine = fill_buffer(place, seconds, width * _SUPERSAMPLING, height * _SUPERSAMPLING)
    linear = cv2.resize(shade(place, fine), (width, height), interpolation=cv2.INTER_AREA)
    return develop(np.asarray(linear, np.float32))


def backward_flow(index: int, width: int = 1280, height: int = 720) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return motion (H, W, 2) from frame `index` to the one before it, and what is hidden there."""
    return _motion(index, index - 1, width, height)


def _motion(index: int, other: int, width: int, height: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    locate(index)
    crosses_cut = (index < CUT_FRAME) != (other < CUT_FRAME)
    if crosses_cut or not 0 <= other < FRAME_COUNT:
        return np.zeros((height, width, 2), np.float32), np.ones((height, width), np.bool_)
    now, after = _buffer(index, width, height), _buffer(other, width, height)
    return forward_flow(locate(index)[0], now, after)


def locate(index: int) -> tuple[Place, float]:
    """Return the place a frame shows and the seconds since the place's first frame."""
    if not 0 <= index < FRAME_COUNT:
        raise IndexError(f"Frame is {index} but must be between 0 and {FRAME_COUNT - 1}")
    if index < CUT_FRAME:
        return build_coast(), index / FRAME_RATE
    return build_street(), (index - CUT_FRAME) / FRAME_RATE


@lru_cache(maxsize=3)
def _buffer(index: int, width: int, height: int) -> GeometryBuffer:
    place, seconds = locate(index)
    return fill_buffer(place, seconds, width, height)
