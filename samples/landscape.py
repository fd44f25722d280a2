"""Ground shared by both places: grids, footprints that cast shadows, and the finished field.

Used by `coast.py` and `street.py`; must not import them.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .field import HeightField, cast_shadow, ground_light
from .noise import sample_tile, tile
from .shading import SKYLIGHT, SUNLIGHT


@dataclass(frozen=True, slots=True)
class Plot:
    """A square of ground under construction; arrays are (N, N), row = north, column = east."""

    origin: tuple[float, float]
    cell: float
    size: int

    def axes(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return world x and y of every grid point."""
        steps = np.arange(self.size, dtype=np.float32) * np.float32(self.cell)
        x, y = np.meshgrid(steps + self.origin[0], steps + self.origin[1])
        return x.astype(np.float32), y.astype(np.float32)

    def finish(
        self,
        heights: NDArray[np.float32],
        albedo: NDArray[np.float32],
        blocks: NDArray[np.float32],
    ) -> HeightField:
        """Light the ground; `blocks` is the height of ground and buildings together."""
        shadow = cast_shadow(blocks, self.cell)
        sun, sky = ground_light(heights, shadow, self.cell)
        contact = cv2.GaussianBlur(np.minimum(blocks - heights, 3.0), (0, 0), 1.2 / self.cell)
        sky = sky * (1 - 0.16 * np.clip(contact, 0, 3))
        lit = albedo * (sun[..., None] * SUNLIGHT + sky[..., None] * SKYLIGHT * 0.95)
        return HeightField(self.origin, self.cell, heights, shadow, lit.astype(np.float32))

    def stamp(
        self,
        blocks: NDArray[np.float32],
        centre: tuple[float, float],
        *,
        size: tuple[float, float],
        yaw: float,
        top: float,
    ) -> None:
        """Raise a rectangle of `blocks` to `top` metres, in place."""
        c, s = np.cos(yaw), np.sin(yaw)
        corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * np.array(size) / 2
        world = corners @ np.array([[c, s], [-s, c]]) + np.array(centre)
        cells = np.rint((world - np.array(self.origin)) / self.cell).astype(np.int32)
        mask = np.zeros(blocks.shape, np.uint8)
        cv2.fillConvexPoly(mask, cells, 1)
        np.maximum(blocks, np.float32(top), out=blocks, where=mask.astype(bool))

    def stamp_disc(self, blocks: NDArray[np.float32], x: float, y: float, *, radius: float, top: float) -> None:
        """Raise a disc of `blocks` to `top` metres, in place."""
        mask = np.zeros(blocks.shape, np.uint8)
        centre = (round((x - self.origin[0]) / self.cell), round((y - self.origin[1]) / self.cell))
        cv2.circle(mask, centre, max(1, round(radius / self.cell)), 1, -1)
        np.maximum(blocks, np.float32(top), out=blocks, where=mask.astype(bool))


def fractal(
    x: NDArray[np.float32], y: NDArray[np.float32], metres: float, seed: int, roughness: float = 1.9
) -> NDArray[np.float32]:
    """Return tile noise of zero mean whose largest waves are about `metres` long."""
    scale = np.float32(1 / (3 * metres))
    return sample_tile(tile(seed, roughness, 2.0), x * scale, y * scale)
