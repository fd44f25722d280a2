"""A place: ground, sky, solids and a camera path; what a renderer needs to know of a location.

`coast.py` and `street.py` build one each; `buffer.py` and `shading.py` read it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .camera import Camera
from .field import HeightField
from .solid import Part, Pose


@dataclass(frozen=True, slots=True)
class Place:
    """One location; times are seconds since its own first frame.

    `panorama` holds linear-light colour of the sky by direction, see `sky.py`. `far` is the depth
    in metres at which the ground ends and `haze` the one at which two thirds of it are fog.
    `paving` is the ground's close-up texture (a tile of zero mean), `detail` its scale in tiles
    per metre; `casters` are moving bodies that shade the ground: motion and half sizes in metres.
    """

    field: HeightField
    panorama: NDArray[np.float32]
    parts: tuple[Part, ...]
    camera: Callable[[float], Camera]
    far: float
    haze: float
    detail: float
    paving: NDArray[np.float32]
    casters: tuple[tuple[Callable[[float], Pose], float, float], ...] = ()
