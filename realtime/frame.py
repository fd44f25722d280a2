"""The one type that travels from source to sink."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture and its place in time.

    `rgb` is (H, W, 3) uint8, contiguous, in the transfer function and primaries of its video; whoever receives the
    frame may keep it but not write to it. `pts_s` and `duration_s` are exact seconds in the time line of the source;
    `index` counts from 0.
    """

    rgb: NDArray[np.uint8]
    pts_s: Fraction
    duration_s: Fraction
    index: int
