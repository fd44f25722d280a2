"""Pinhole camera that turns and shifts but never tilts, and the frame it draws in.

World axes: x east, y north, z up, in metres. The camera looks horizontally and the picture is
moved up or down by shifting the lens, as architects' cameras do. Every image column is then one
vertical plane of the world, which is what lets `field.py` cast a whole height field column by
column. First in the data flow; imports nothing of this package.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Camera:
    """Place and lens of one frame.

    `position` is in metres, `yaw` in radians clockwise from north, `focal` in image heights and
    `horizon` is the row of the horizon as a fraction of the height, from the top.
    """

    position: tuple[float, float, float]
    yaw: float
    focal: float
    horizon: float

    @property
    def right(self) -> NDArray[np.float64]:
        return np.array([math.cos(self.yaw), -math.sin(self.yaw), 0.0])

    @property
    def forward(self) -> NDArray[np.float64]:
        return np.array([math.sin(self.yaw), math.cos(self.yaw), 0.0])


@dataclass(frozen=True, slots=True)
class View:
    """A camera with a raster; a ray is `forward + across * right + rise * up`.

    With that ray the parameter along it is the depth in metres, so depths of all surfaces compare.
    """

    camera: Camera
    width: int
    height: int

    @property
    def scale_px(self) -> float:
        return self.camera.focal * self.height

    @property
    def across(self) -> NDArray[np.float32]:
        """Return the sideways slope of each column, (W,)."""
        columns = np.arange(self.width) + 0.5 - self.width / 2
        return (columns / self.scale_px).astype(np.float32)

    @property
    def rise(self) -> NDArray[np.float32]:
        """Return the upward slope of each row, (H,)."""
        rows = self.camera.horizon * self.height - (np.arange(self.height) + 0.5)
        return (rows / self.scale_px).astype(np.float32)

    def project(
        self, points: NDArray[np.floating]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return column, row (whole numbers at pixel centres) and depth of points (..., 3)."""
        offset = points - np.asarray(self.camera.position)
        depth = offset @ self.camera.forward
        safe = np.where(np.abs(depth) < 1e-6, 1e-6, depth)
        return *self.project_slopes(offset @ self.camera.right / safe, offset[..., 2] / safe), depth

    def project_slopes(
        self, across: NDArray[np.floating], rise: NDArray[np.floating]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return column and row of rays given by their slopes."""
        column = across * self.scale_px + (self.width / 2 - 0.5)
        row = (self.camera.horizon * self.height - 0.5) - rise * self.scale_px
        return np.asarray(column, np.float64), np.asarray(row, np.float64)


def ease(start: float, end: float, fraction: float) -> float:
    """Return a value that leaves `start` and reaches `end` without a jerk, for fraction in 0-1."""
    clipped = min(max(fraction, 0.0), 1.0)
    return start + (end - start) * clipped * clipped * (3 - 2 * clipped)
