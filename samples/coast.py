"""First place: a bay with a village on the slope, a lighthouse on the headland, and a sloop.

Builds a `Place`; see `street.py` for the second one.
"""

import math
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from .building import (
    balloon,
    bird,
    boulder,
    bush,
    cypress,
    house,
    lighthouse,
    parasol,
    round_tree,
    sailing_boat,
)
from .camera import Camera, ease
from .landscape import Plot, fractal
from .material import planks
from .noise import colour, mix, smoothstep, tile
from .place import Place
from .sky import paint_panorama
from .solid import Part, Pose, box, fixed, turn

SECONDS = 4.0
_PLOT = Plot(origin=(-230.0, -20.0), cell=0.42, size=1400)
_WALLS = ("f6e3bf", "efbf8c", "e59a6c", "f2d27c", "a9cccb", "efa58a", "fff3e0", "d9b0c0")
_ROOFS = ("c4573a", "b84a34", "d0693f", "a9503c")
_SHUTTERS = ("3f7f8f", "4f7a4a", "8f4a3c", "3c5f8a")


def _camera(seconds: float) -> Camera:
    part = seconds / SECONDS
    return Camera(
        position=(-2.0 + 4.0 * part, 2.0 + 9.0 * part, 13.0 - 1.4 * part),
        yaw=ease(-0.09, 0.03, part),
        focal=1.12,
        horizon=0.425,
    )


def _heights(x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.float32]:
    """Land lies left of a shore that swings out to a headland; negative is sea bed."""
    wander = 5.0 * fractal(x, y, 60, 70)
    shore = -6 - 0.10 * y + 10 * np.sin(y / 30 - 0.6) + 0.0016 * np.maximum(y - 60, 0) ** 2
    inland = (shore - x + wander) * np.float32(0.80)
    beach = 0.22 * np.clip(inland, -40, 11)
    hill = 30 * smoothstep(8, 120, inland) + 9 * smoothstep(24, 70, inland)
    rough = 2.4 * fractal(x, y, 34, 71, 2.3) * smoothstep(15, 60, inland)
    heights = beach + hill + rough

    reach = np.hypot((x - 62) / 36, (y - 168) / 24) + 0.16 * fractal(x, y, 16, 72)
    cliff = 15.5 * smoothstep(1.02, 0.80, reach) + 3.5 * smoothstep(0.8, 0.0, reach)
    heights = np.maximum(heights, cliff - 3 * smoothstep(0.9, 1.3, reach) - 1)
    for east, north, wide, tall in ((176, 300, 34, 18), (112, 268, 10, 8)):
        away = np.hypot((x - east) / wide, (y - north) / (0.6 * wide))
        away += 0.25 * fractal(x, y, 18, 73)
        heights = np.maximum(heights, tall * smoothstep(1.0, 0.55, away) - 4 * (away > 1) - 1)

    knoll = np.hypot((x + 15.5) / 11, (y - 20) / 11) + 0.08 * fractal(x, y, 8, 74)
    heights = np.maximum(heights, 7.2 * smoothstep(1.15, 0.25, knoll) - 2)
    return np.maximum(heights, -9).astype(np.float32)


def _albedo(x: NDArray[np.float32], y: NDArray[np.float32], heights: NDArray[np.float32]) -> NDArray[np.float32]:
    north, east = np.gradient(heights, _PLOT.cell)
    steep = cv2.GaussianBlur(np.hypot(north, east).astype(np.float32), (0, 0), 1.2)
    patches, streaks = fractal(x, y, 22, 80, 1.5), fractal(x, y, 5, 81, 1.1)
    shape = (*heights.shape, 3)

    def filled(code: str) -> NDArray[np.float32]:
        return np.broadcast_to(colour(code), shape)

    ink = mix(filled("5f9440"), filled("9bb456"), smoothstep(-1.2, 1.3, patches + 0.5 * streaks))
    ink = mix(ink, filled("cdb968"), 0.65 * smoothstep(0.6, 1.9, fractal(x, y, 30, 82, 1.4)))
    ink = mix(ink, filled("3f7038"), 0.75 * smoothstep(0.5, 1.3, fractal(x, y, 11, 83, 1.2)))
    strata = np.sin(heights * 2.2 + 1.2 * streaks + 0.05 * x)
    rock = mix(filled("a08b76"), filled("d2bb9a"), smoothstep(-0.9, 0.9, strata + 0.4 * streaks))
    ink = mix(ink, rock, smoothstep(0.75, 1.15, steep + 0.12 * streaks))
    sand = mix(filled("cdb183"), filled("e3cc9c"), smoothstep(0.2, 1.2, heights + 0.15 * streaks))
    ink = mix(ink, sand, smoothstep(2.3, 1.7, heights + 0.35 * streaks) * (steep < 0.6))
    flowers = (fractal(x, y, 1.6, 84, 0.5) > 2.0) & (heights > 2.4) & (steep < 0.5)
    ink[flowers] = np.where((patches > 0)[..., None], colour("f0dd62"), colour("e9a0b4"))[flowers]
    return ink


@cache
def build_coast() -> Place:
    """Build the bay; takes a second or two and is kept."""
    x, y = _PLOT.axes()
    heights = _heights(x, y)
    blocks = heights.copy()
    parts: list[Part] = []
    random = np.random.default_rng(7)

    def ground(east: float, north: float) -> float:
        column = round((east - _PLOT.origin[0]) / _PLOT.cell)
        row = round((north - _PLOT.origin[1]) / _PLOT.cell)
        return float(heights[row, column])

    taken: list[tuple[float, float, float]] = []

    def is_free(east: float, north: float, room: float) -> bool:
        return all(math.hypot(east - a, north - b) > room + c for a, b, c in taken)

    for number in range(900):
        north = random.uniform(52, 128)
        east = random.uniform(-75, 20)
        level = ground(east, north)
        if not (2.2 < level < 17) or not is_free(east, north, 4.6) or len(taken) >= 30:
            continue
        taken.append((east, north, 4.6))
        yaw = random.choice([0.0, math.pi / 2]) + random.uniform(-0.25, 0.25) - 0.15
        length, depth = random.uniform(7.0, 9.5), random.uniform(5.5, 7.0)
        tall = float(random.choice([3.2, 5.6, 5.8]))
        inks = (
            str(random.choice(_WALLS)),
            str(random.choice(_ROOFS)),
            str(random.choice(_SHUTTERS)),
        )
        parts += house(east, north, level, yaw, size=(length, depth, tall), inks=inks, seed=number)
        _PLOT.stamp(blocks, (east, north), size=(length, depth), yaw=yaw, top=level + tall + 1)

    for number in range(700):
        north = random.uniform(30, 175)
        east = random.uniform(-120, 90)
        level = ground(east, north)
        if not (3.0 < level < 38) or not is_free(east, north, 2.2) or len(taken) >= 105:
            continue
        if abs(ground(east + 1.5, north) - ground(east - 1.5, north)) > 2.4:
            continue
        if math.hypot(east - 57, north - 161) < 14:
            continue
        taken.append((east, north, 1.6))
        size = random.uniform(4.5, 7.5)
        slim = number % 3 == 0
        grow = cypress if slim else round_tree
        parts += grow(east, north, level, size * (1.25 if slim else 1.0), number)
        _PLOT.stamp_disc(blocks, east, north, radius=size * (0.14 if slim else 0.34), top=level + size * 0.8)

    for east, north, size, light in (
        (-12.2, 17.5, 1.15, "a8b557"),
        (-14.6, 18.4, 1.5, "c9b04f"),
        (-10.4, 20.5, 0.8, "d58aa0"),
        (-17.2, 21.5, 1.7, "8fae4c"),
        (-9.0, 17.0, 0.6, "b9b85c"),
    ):
        parts += bush(east, north, ground(east, north), size, int(size * 10), light)
    for number in range(26):
        angle = random.uniform(0, 6.28)
        east, north = 62 + 38 * math.cos(angle), 168 + 26 * math.sin(angle)
        parts += boulder(east, north, min(ground(east, north), 0.6), random.uniform(1.2, 3.0), number)
    for number, (east, north, size) in enumerate(
        ((-2.5, 27, 1.1), (-0.3, 30, 0.7), (-4.2, 31, 1.5), (2.2, 34, 0.5), (-1.6, 35.5, 0.9))
    ):
        parts += boulder(east, north, max(ground(east, north), -0.3), size, number + 40)

    for number, (east, north) in enumerate(((6.5, 43.0), (2.6, 48.0), (1.0, 41.5), (-2.5, 45.5), (6.8, 48.5))):
        parts += parasol(east, north, max(ground(east, north), 0.2), number)
        _PLOT.stamp_disc(blocks, east, north, radius=1.4, top=ground(east, north) + 1.9)
    parts += lighthouse(57, 161, ground(57, 161) - 0.3)
    _PLOT.stamp_disc(blocks, 57, 161, radius=2.3, top=ground(57, 161) + 19)
    parts += _pier() + _moving()
    field = _PLOT.finish(heights, _albedo(x, y, heights), blocks)
    return Place(
        field=field,
        panorama=paint_panorama(101, 0.10, 0.115),
        parts=tuple(parts),
        camera=_camera,
        far=420.0,
        haze=900.0,
        detail=0.16,
        paving=tile(20, 0.75, 6.0),
    )


def _pier() -> list[Part]:
    wood = planks("a5825c")
    parts = [Part(box((0, -1.2, -0.3), (24, 1.2, 0)), wood, fixed(-4, 74, 1.5, -0.12))]
    for step in range(6):
        post = box((2 + 4 * step, -1.25, -4), (2.3 + 4 * step, 1.25, 0.5))
        parts.append(Part(post, planks("7d6247"), fixed(-4, 74, 1.5, -0.12)))
    return parts


def _sloop(seconds: float) -> Pose:
    heel = 0.10 + 0.03 * math.sin(1.7 * seconds)
    c, s = math.cos(heel), math.sin(heel)
    lean = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    place = np.array([24.5 - 1.9 * seconds, 47.0 + 0.3 * seconds, 0.12 * math.sin(2 * seconds)])
    return Pose(turn(math.pi - 0.12) @ lean, place)


def _far_boat(seconds: float) -> Pose:
    return Pose(turn(0.2) @ np.eye(3), np.array([84.0 + 1.8 * seconds, 128.0, 0.0]))


def _balloon(seconds: float) -> Pose:
    return Pose(turn(0.10 * seconds), np.array([4.0 + 1.1 * seconds, 190.0, 58 + 0.5 * seconds]))


def _moving() -> list[Part]:
    parts = sailing_boat(_sloop, 1.0, "2f5f86", "d8523c")
    parts += sailing_boat(_far_boat, 1.0, "a8452f", "3c7fa8")
    parts += balloon(_balloon, 9.5)
    for number, (start, speed, size) in enumerate(
        (((-26, 34, 17.5), 9.0, 1.15), ((-33, 38, 19.0), 8.6, 1.0), ((-30, 44, 16.6), 9.4, 1.1))
    ):

        def glide(
            seconds: float,
            start: tuple[float, float, float] = start,
            speed: float = speed,
            number: int = number,
        ) -> Pose:
            sway = 0.5 * math.sin(1.3 * seconds + number)
            shift = np.array([speed * seconds, 1.5 * seconds, sway])
            return Pose(turn(0.16), np.array(start) + shift)

        parts += bird(glide, size, 1.9 + 0.2 * number)
    return parts
