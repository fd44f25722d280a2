"""Tell frames that look like the one before, so that the network need not see them: stills, slides, doubled frames.

A frame is compared with the one that was really stylised, never with a repeat, so that what changes slowly adds up
until it counts. Differences are taken in small blocks, where a fly or a cursor cannot drown in the rest of the picture,
and in large ones, where noise averages out and a slow fade does not.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

# Sides of the blocks, and the grey levels by which the mean of any block of any channel may differ. Measured on
# photographs held still and on film with every frame doubled, both through encoders at 640x360: of the still frames
# these bounds let pass 93, 70 and 84 % (x264, crf 18, 23, 30) and 79 % (MPEG-4), of the doubled ones 73, 37, 23 and
# 50 %. A 6x6 pixel fly fills 9/16 of some small block: it is seen from a contrast of 6 levels on.
# Through network and smoother, pictures that fade by 0.1 level or pan by 0.05 px a frame change from one frame to the
# next by at most 0.4 and 1.1 levels (mean), where stylising every frame gives 0.4 and 0.6: nothing is seen to jump.
SMALL_BLOCK_PX, SMALL_BLOCK_LEVELS = 4, 3.0
LARGE_BLOCK_PX, LARGE_BLOCK_LEVELS = 32, 0.5

# A look at a few pixels first: where one differs by more than encoders let still pictures differ (25 levels above), the
# blocks need not be computed. 0.1 ms instead of 1.2 ms for a moving frame at 1280x720.
SAMPLE_STEP_PX, SAMPLE_LEVELS = 16, 32


class RepeatDetector:
    """Compares frames with the last one that was no repeat."""

    def __init__(self) -> None:
        self._original: NDArray[np.uint8] | None = None
        self._original_blocks: NDArray[np.uint8] | None = None

    def is_repeat(self, rgb: NDArray[np.uint8], *, exactly: bool) -> bool:
        """Return whether `rgb` (H, W, 3) shows what the last frame that was no repeat did; keeps a reference to it.

        With `exactly` every byte must be the same, else no difference may be visible.
        """
        is_repeat, blocks = False, None
        if self._original is not None and self._original.shape == rgb.shape:
            if exactly:
                is_repeat = np.array_equal(self._original, rgb)
            elif _may_look_the_same(self._original, rgb):
                if self._original_blocks is None:
                    self._original_blocks = _means(self._original, SMALL_BLOCK_PX)
                blocks = _means(rgb, SMALL_BLOCK_PX)
                is_repeat = _look_the_same(self._original_blocks, blocks)
        if not is_repeat:
            self._original, self._original_blocks = rgb, blocks
        return is_repeat


def _may_look_the_same(picture: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    few = (slice(None, None, SAMPLE_STEP_PX), slice(None, None, SAMPLE_STEP_PX))
    return cv2.norm(np.ascontiguousarray(picture[few]), np.ascontiguousarray(other[few]), cv2.NORM_INF) <= SAMPLE_LEVELS


def _means(picture: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(picture, _blocks(picture, side), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _blocks(picture: NDArray[np.uint8], side: int) -> tuple[int, int]:
    return max(1, picture.shape[1] // side), max(1, picture.shape[0] // side)


def _look_the_same(blocks: NDArray[np.uint8], others: NDArray[np.uint8]) -> bool:
    difference = cv2.subtract(blocks, others, dtype=cv2.CV_32F)
    if cv2.norm(difference, cv2.NORM_INF) > SMALL_BLOCK_LEVELS:
        return False
    size = _blocks(blocks, LARGE_BLOCK_PX // SMALL_BLOCK_PX)
    return cv2.norm(cv2.resize(difference, size, interpolation=cv2.INTER_AREA), cv2.NORM_INF) <= LARGE_BLOCK_LEVELS
