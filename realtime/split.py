"""Before and after in one picture: a wipe, or side by side. Left and right are those of the picture as it is shown."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .settings import SPLIT_KINDS
from .video_info import VideoInfo

WIPE, SIDE = SPLIT_KINDS
LINE_PX = 2


@dataclass(frozen=True, slots=True)
class Split:
    """How two pictures share one. `kind` is WIPE or SIDE.

    A player turns the picture as the video's display matrix says: `axis` is where it has its left and right (1: along
    the coded width, 0: along the coded height), and with `is_reversed` its left is at the coded end.
    """

    kind: str
    axis: int = 1
    is_reversed: bool = False

    @classmethod
    def of(cls, kind: str, info: VideoInfo) -> "Split":
        if info.display_matrix is None:
            return cls(kind)
        # The coded direction that is shown as "right" is the matrix's first column (a, c) by ISO/IEC 14496-12, 6.2.2.
        a, c = info.display_matrix[0], info.display_matrix[3]
        along_width = abs(a) >= abs(c)
        return cls(kind, axis=1 if along_width else 0, is_reversed=(a if along_width else c) < 0)

    def described(self, info: VideoInfo) -> VideoInfo:
        """Return what `info` becomes: a wipe keeps the size, side by side doubles it."""
        if self.kind == WIPE:
            return info
        return replace(info, width=info.width * 2) if self.axis else replace(info, height=info.height * 2)

    def join(self, before: NDArray[np.uint8], after: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a new picture with `before` on the left and `after` on the right; both are (H, W, 3) or (H, W)."""
        first, second = (after, before) if self.is_reversed else (before, after)
        if self.kind == SIDE:
            return np.concatenate([first, second], axis=self.axis)
        picture = second.copy()
        # A view with the axis of the wipe in front: what is written to it is written to the picture.
        across = np.moveaxis(picture, self.axis, 0)
        length = across.shape[0]
        middle = length // 2
        across[:middle] = np.moveaxis(first, self.axis, 0)[:middle]
        if length > 8 * LINE_PX:
            across[middle - LINE_PX // 2 : middle + LINE_PX // 2] = 255
        return picture
