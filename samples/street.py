"""Second place: a village street that runs down to the harbour, seen from a fast low camera.

Builds a `Place`; see `coast.py` for the first one.
"""

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from .building import attached, bird, bush, cypress, house, round_tree, sailing_boat
from .camera import Camera, ease
from .landscape import Plot, fractal
from .material import bands, gores, plain
from .noise import cobbles, colour, mix, smoothstep
from .place import Place
from .sky import paint_panorama
from .solid import Convex, Ellipsoid, Frustum, Part, Pose, box, fixed, prism, turn

SECONDS = 3.0
_PLOT = Plot(origin=(-70.0, -15.0), cell=0.14, size=1000)
_HALF_WIDTH = 4.0
_QUAY = 84.0
# East or west of the street, south end, frontage and wall height of each house, in metres; inks.
_HOUSES = (
    (-1, 5.0, 8.5, 5.8, ("f2c48d", "b84a34", "3f7f8f")),
    (1, 7.5, 9.0, 5.8, ("e58f6f", "a9503c", "4f7a4a")),
    (-1, 14.2, 7.0, 8.4, ("f7ead0", "c4573a", "8f4a3c")),
    (1, 17.2, 7.5, 8.4, ("f4dc95", "b84a34", "3c5f8a")),
    (-1, 24.6, 9.0, 5.6, ("9fc4c4", "d0693f", "f0e6d2")),
    (1, 28.4, 8.0, 5.8, ("f3ead9", "c4573a", "3f7f8f")),
    (-1, 34.2, 8.0, 8.4, ("eda58a", "a9503c", "3c5f8a")),
    (1, 37.0, 9.0, 8.2, ("d9b8c4", "b84a34", "5a4a6a")),
    (-1, 45.0, 9.0, 5.6, ("f4d58a", "b84a34", "4f7a4a")),
    (1, 48.6, 8.0, 5.6, ("efc7a0", "d0693f", "8f4a3c")),
    (-1, 56.0, 8.0, 5.6, ("f6efe0", "c4573a", "3f7f8f")),
    (1, 61.0, 9.0, 3.4, ("f0b59a", "a9503c", "3c5f8a")),
    (-1, 67.0, 9.0, 3.4, ("cfdcd6", "b84a34", "4f7a4a")),
)
_FLAGS = ("d8523c", "f6c24f", "3c7fa8", "f7efe0", "5f9440")


def _level(north: float) -> float:
    return 10.0 - 0.085 * north


def _camera(seconds: float) -> Camera:
    north = 1.5 * seconds + 0.85 * seconds * seconds
    return Camera(
        position=(1.3 - 0.2 * seconds, north, _level(north) + 2.7 + 0.25 * seconds),
        yaw=ease(-0.13, 0.10, seconds / SECONDS),
        focal=0.92,
        horizon=0.46,
    )


def _heights(x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.float32]:
    slope = 10.0 - np.float32(0.085) * y
    hill = 13 * smoothstep(13, 46, np.abs(x)) * smoothstep(_QUAY + 8, 50, y)
    hill += 1.5 * fractal(x, y, 14, 90) * smoothstep(13, 22, np.abs(x))
    kerb = 0.14 * smoothstep(_HALF_WIDTH - 1.02, _HALF_WIDTH - 0.92, np.abs(x))
    return np.where(y > _QUAY, -5.0, slope + hill + kerb).astype(np.float32)


def _albedo(x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.float32]:
    patches, streaks = fractal(x, y, 9, 91, 1.4), fractal(x, y, 2, 92, 1.0)
    shape = (*x.shape, 3)

    def filled(code: str) -> NDArray[np.float32]:
        return np.broadcast_to(colour(code), shape)

    ink = mix(filled("5f9440"), filled("a5b75c"), smoothstep(-1.2, 1.2, patches))
    ink = mix(ink, filled("3f7038"), 0.7 * smoothstep(0.5, 1.4, streaks + patches))
    stone = mix(filled("a8998a"), filled("c9b8a2"), smoothstep(-1.3, 1.3, patches + 0.6 * streaks))
    pavement = mix(filled("cbbba4"), filled("e0d2ba"), smoothstep(-1, 1, streaks))
    aside = np.abs(x)
    ink = mix(ink, pavement, smoothstep(12.4, 12.0, aside))
    ink = mix(ink, stone, smoothstep(_HALF_WIDTH - 0.9, _HALF_WIDTH - 1.0, aside))
    gutter = smoothstep(0.16, 0.05, np.abs(aside - _HALF_WIDTH + 1.1))
    return mix(ink, filled("7b7068"), 0.7 * gutter)


@cache
def build_street() -> Place:
    """Build the street; takes a second or two and is kept."""
    x, y = _PLOT.axes()
    heights = _heights(x, y)
    blocks = heights.copy()
    parts: list[Part] = []
    for number, (side, south, front, tall, inks) in enumerate(_HOUSES):
        depth = 7.2
        east, north = side * (_HALF_WIDTH + depth / 2 + 0.25), south + front / 2
        level, yaw = _level(south), -side * math.pi / 2
        parts += house(east, north, level, yaw, size=(front, depth, tall), inks=inks, seed=number)
        _PLOT.stamp(blocks, (east, north), size=(front, depth), yaw=yaw, top=level + tall + 1.3)
        if number % 3 != 2:
            parts += _awning(side, north, level, number)
        for shift in (-0.32, 0.36):
            parts += _flower_pot(side, north + shift * front, number)
    for number, (east, north, size) in enumerate(
        (
            (-5.8, 43.6, 6.5),
            (5.9, 26.8, 5.6),
            (6.1, 58.3, 6.5),
            (-5.6, 65.4, 5.5),
            (5.2, 74.5, 6.0),
            (-14, 52, 8),
            (15, 44, 9),
            (-17, 30, 9),
            (19, 62, 8),
            (-15, 76, 7),
        )
    ):
        level = float(heights[round((north + 15) / 0.14), round((east + 70) / 0.14)])
        parts += round_tree(east, north, level, size, number + 900)
        _PLOT.stamp_disc(blocks, east, north, radius=0.32 * size, top=level + 0.8 * size)
    for number, (east, north, size) in enumerate(((-13, 63, 10), (13.5, 57, 11), (14, 71, 9))):
        parts += cypress(east, north, _level(north), size, number)
    for number, north in enumerate((11.0, 22.5, 35.0, 52.0)):
        parts += _bunting(north, number)
    for side, north in ((1, 16.8), (-1, 23.6), (1, 36.4), (-1, 44.2), (1, 60.0)):
        parts += _lamp(side * (_HALF_WIDTH - 0.55), north)
    parts += _moving()
    field = _PLOT.finish(heights, _albedo(x, y), blocks)
    return Place(
        field=field,
        panorama=paint_panorama(131, 0.25, 0.085),
        parts=tuple(parts),
        camera=_camera,
        far=110.0,
        haze=520.0,
        detail=0.19,
        paving=cobbles(),
        casters=((_ball, 0.6, 0.6), (_car, 2.3, 1.15)),
    )


def _awning(side: int, north: float, level: float, number: int) -> list[Part]:
    outline = [(0.0, 0.0), (1.35, -0.62), (1.35, -0.50), (0.0, 0.14)]
    shape = prism([(-y, z) for y, z in reversed(outline)], -1.5, 1.5)
    stripe = _FLAGS[number % 3]

    def paint(points: NDArray[np.float32], normals: NDArray[np.float32]) -> NDArray[np.float32]:
        band = (np.floor(points[:, 0] / 0.3 + 0.5).astype(int) % 2)[:, None]
        return np.where(band == 0, colour(stripe), colour("f9f1df")).astype(np.float32)

    pose = fixed(side * (_HALF_WIDTH + 0.25), north, level + 2.95, -side * math.pi / 2)
    return [Part(shape, paint, pose)]


def _flower_pot(side: int, north: float, seed: int) -> list[Part]:
    east, level = side * (_HALF_WIDTH - 0.25), _level(north) + 0.12
    light = ("d9607a", "e8b84a", "7fae4c", "c87ab8")[seed % 4]
    pot = Part(Frustum(0.22, 0.30, 0.45), plain("b5603f", 0.1, 0.5), fixed(east, north, level))
    return [pot, *bush(east, north, level + 0.52, 0.42, seed, light)]


def _lamp(east: float, north: float) -> list[Part]:
    level = _level(north)
    iron = plain("35424a", 0.05)
    return [
        Part(Frustum(0.16, 0.09, 0.7), iron, fixed(east, north, level)),
        Part(Frustum(0.06, 0.05, 3.6), iron, fixed(east, north, level + 0.5)),
        Part(
            Frustum(0.15, 0.24, 0.5),
            plain("ffe7ad", 0.02),
            fixed(east, north, level + 4.1),
            gloss=0.35,
        ),
        Part(Frustum(0.32, 0.03, 0.28), iron, fixed(east, north, level + 4.6)),
    ]


def _bunting(north: float, number: int) -> list[Part]:
    """Hang a sagging string of pennants across the street."""
    parts = []
    for index in range(13):
        across = -1 + (index + 0.5) / 6.5
        lift = 4.7 + 0.9 * across * across - 0.25 * (number % 2)
        outline = [(-0.25, 0.0), (0.0, -0.55), (0.25, 0.0)]
        flat = prism(outline, -0.02, 0.02)
        place = fixed((_HALF_WIDTH + 0.2) * across, north + 0.25 * across, _level(north) + lift, math.pi / 2)
        code = _FLAGS[(index + number) % len(_FLAGS)]
        parts.append(Part(flat, plain(code, 0.04), place))
    return parts


def _ball(seconds: float) -> Pose:
    travelled, radius = 6.2 * seconds + 0.5 * seconds * seconds, 0.5
    north = 8.0 + travelled
    angle = -travelled / radius
    c, s = math.cos(angle), math.sin(angle)
    roll = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    hop = 0.55 * abs(math.sin(2.6 * seconds + 0.4))
    place = np.array([1.7 - 0.75 * seconds, north, _level(north) + radius + hop])
    return Pose(roll @ turn(0.4), place)


def _car(seconds: float) -> Pose:
    north = 38.0 - 7.0 * seconds
    tilt = math.atan(0.085)
    c, s = math.cos(tilt), math.sin(tilt)
    pitch = np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])
    return Pose(turn(-math.pi / 2) @ pitch, np.array([-1.45, north, _level(north)]))


def _car_parts() -> list[Part]:
    """Build a small two-tone car driving along +x, whose wheels turn with its speed."""
    flip = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1.0]])

    def side_view(outline: list[tuple[float, float]], wide: float) -> Convex:
        shape = prism(outline, -wide, wide)
        return Convex(shape.directions @ flip, shape.offsets, shape.corners @ flip)

    body = side_view(
        [(-1.85, 0.32), (1.85, 0.32), (1.95, 0.62), (1.55, 0.92), (-1.75, 0.95), (-1.95, 0.65)],
        0.80,
    )
    cabin = side_view([(-1.55, 0.9), (0.85, 0.9), (0.30, 1.48), (-1.15, 1.50)], 0.66)
    roof_shape = side_view([(-1.25, 1.46), (0.38, 1.46), (0.25, 1.58), (-1.10, 1.58)], 0.70)
    parts = [
        Part(body, bands(("c8452f", "c8452f", "f4ead6"), 0.35, 0.0), _car, still=False),
        Part(cabin, plain("33485a", 0.05), _car, still=False, gloss=0.06),
        Part(roof_shape, plain("f4ead6", 0.03), _car, still=False),
        Part(box((1.80, -0.78, 0.34), (2.02, 0.78, 0.46)), plain("d8d6d0"), _car, still=False),
    ]
    for ahead in (-1.15, 1.2):
        for side in (-0.86, 0.66):

            def wheel(seconds: float, ahead: float = ahead, side: float = side) -> Pose:
                spin = turn(-7.0 * seconds / 0.34)
                lay = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0.0]])
                carrier = attached(_car, np.array([ahead, side, 0.34]), lay @ spin)
                return carrier(seconds)

            parts.append(Part(Frustum(0.34, 0.34, 0.2), gores(("2e2c2c", "3a3836"), 8), wheel, still=False))
    for side in (-0.55, 0.55):
        lamp = attached(_car, np.array([1.80, side, 0.68]))
        parts.append(Part(Ellipsoid((0.16, 0.15, 0.15)), plain("fff3cf"), lamp, still=False, gloss=0.4))
    return parts


def _boat(seconds: float) -> Pose:
    return Pose(turn(math.pi), np.array([16.0 - 3.0 * seconds, 122.0, 0.0]))


def _moving() -> list[Part]:
    parts = [
        Part(
            Ellipsoid((0.5, 0.5, 0.5)),
            gores(("e2553d", "f7efe0", "f6c24f", "f7efe0", "3c7fa8", "f7efe0"), 12),
            _ball,
            still=False,
            gloss=0.03,
        )
    ]
    parts += _car_parts() + sailing_boat(_boat, 1.1, "2f5f86", "d8523c")
    for number, start in enumerate(((-9.0, 20.0, 15.5), (-12.0, 25.0, 16.6))):

        def glide(seconds: float, start: tuple[float, float, float] = start, number: int = number) -> Pose:
            shift = np.array([7.0 * seconds, 3.0 * seconds, 0.3 * math.sin(2 * seconds + number)])
            return Pose(turn(0.4), np.array(start) + shift)

        parts += bird(glide, 0.85, 2.2 + 0.3 * number)
    return parts
