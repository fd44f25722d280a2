"""Things made of several solids: houses, trees, a lighthouse, boats, birds, a car, a balloon.

Each function returns parts ready to go in a place. Used by `coast.py` and `street.py`.
"""

import math
from collections.abc import Callable

import numpy as np

from .material import bands, foliage, gores, plain, planks, roof, sailcloth, wall
from .solid import Convex, Ellipsoid, Frustum, Part, Pose, Vector, box, fixed, prism, turn

Motion = Callable[[float], Pose]


def house(
    x: float,
    y: float,
    ground: float,
    yaw: float,
    *,
    size: tuple[float, float, float],
    inks: tuple[str, str, str],
    seed: int,
) -> list[Part]:
    """Build a gabled house; `size` is (length, depth, wall height), `inks` wall, roof, shutters."""
    length, depth, tall = size
    pose = fixed(x, y, ground, yaw)
    half, ridge, lap = depth / 2, 0.36 * depth, 0.45
    sag = lap * ridge / half
    outline = [(-half - lap, tall - sag), (half + lap, tall - sag), (0.0, tall + ridge)]
    storeys = max(1, round(tall / 2.8))
    plaster = wall(inks[0], inks[2], storey=tall / storeys, spacing=2.3, seed=seed)
    chimney = length * (0.28 if seed % 2 else -0.28)
    stack = box((chimney - 0.4, 0.5, tall), (chimney + 0.4, 1.2, tall + ridge + 0.7))
    return [
        Part(box((-length / 2, -half, -4.0), (length / 2, half, tall)), plaster, pose),
        Part(prism(outline, -length / 2 - 0.3, length / 2 + 0.3), roof(inks[1], inks[0], tall), pose),
        Part(stack, plain("b5876a", 0.15, 0.5), pose),
    ]


def round_tree(x: float, y: float, ground: float, size: float, seed: int) -> list[Part]:
    """Build a broad-leaved tree of `size` metres as four leafy balls on a trunk."""
    random = np.random.default_rng(seed)
    paint = foliage("2f5228", "93b04c", seed)
    parts = [
        Part(
            Frustum(0.06 * size, 0.04 * size, 0.6 * size),
            plain("6b5138", 0.2, 0.6),
            fixed(x, y, ground),
        )
    ]
    for turn_index in range(4):
        angle = 2.1 * turn_index + random.uniform(0, 1)
        reach = 0.19 * size if turn_index else 0.0
        radius = size * random.uniform(0.20, 0.27)
        centre = (
            x + reach * math.cos(angle),
            y + reach * math.sin(angle),
            ground + size * (0.80 if turn_index == 0 else 0.60),
        )
        parts.append(Part(Ellipsoid((radius, radius, 0.85 * radius)), paint, fixed(*centre), ragged=0.34))
    return parts


def cypress(x: float, y: float, ground: float, tall: float, seed: int) -> list[Part]:
    """Build a slim dark cypress."""
    shape = Ellipsoid((0.13 * tall, 0.13 * tall, 0.52 * tall))
    paint = foliage("1f4030", "5f8846", seed)
    return [Part(shape, paint, fixed(x, y, ground + 0.48 * tall), ragged=0.34)]


def bush(x: float, y: float, ground: float, size: float, seed: int, light: str) -> list[Part]:
    """Build a low shrub."""
    shape = Ellipsoid((size, size * 0.9, size * 0.75))
    return [Part(shape, foliage("3a5a2c", light, seed), fixed(x, y, ground + 0.2 * size), ragged=0.42)]


def boulder(x: float, y: float, ground: float, size: float, seed: int) -> list[Part]:
    """Build an angular rock by cutting a box with tilted planes."""
    random = np.random.default_rng(seed)
    directions = random.normal(size=(14, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    offsets = size * random.uniform(0.62, 0.95, 14)
    limits = box((-size,) * 3, (size,) * 3)
    shape = Convex(
        np.concatenate([directions, limits.directions]),
        np.concatenate([offsets, limits.offsets]),
        limits.corners,
    )
    paint = plain(("a3978a", "8f867d", "b3a490")[seed % 3], 0.16, 0.35)
    return [Part(shape, paint, fixed(x, y, ground + 0.25 * size))]


def parasol(x: float, y: float, ground: float, seed: int) -> list[Part]:
    """Build a beach parasol with a towel beside it."""
    inks = (("d8523c", "f7efe0"), ("3c7fa8", "f7efe0"), ("f0b93f", "f7efe0"))[seed % 3]
    towel = box((0.5, -0.9, 0.0), (1.5, 0.9, 0.12))
    return [
        Part(Frustum(1.75, 0.08, 0.75), gores(inks, 10), fixed(x, y, ground + 1.9)),
        Part(Frustum(0.06, 0.05, 2.8), plain("f1e7d2"), fixed(x, y, ground)),
        Part(towel, plain(inks[0], 0.05), fixed(x, y, ground, 0.5 + 0.7 * seed)),
    ]


def lighthouse(x: float, y: float, ground: float) -> list[Part]:
    """Build a banded tower of 23 m with a gallery, a lantern and a keeper's house."""

    def on(lift: float) -> Motion:
        return fixed(x, y, ground + lift)

    return [
        Part(Frustum(3.6, 3.3, 3.0), plain("b7ab9a", 0.14, 0.4), on(-1.6)),
        Part(Frustum(2.7, 1.75, 17.0), bands(("f5efe2", "c8402f"), 3.4), on(1.3)),
        Part(Frustum(2.5, 2.6, 0.5), plain("efe7d8"), on(18.2)),
        Part(Frustum(2.55, 2.55, 0.12), plain("3b4650"), on(19.4)),
        Part(Frustum(1.25, 1.25, 2.3), bands(("ffe9a6", "4a5a66"), 0.9), on(18.6), gloss=0.4),
        Part(Frustum(1.75, 0.15, 1.7), plain("b23a2c"), on(20.9)),
        Part(Ellipsoid((0.28, 0.28, 0.4)), plain("d9b45a"), on(22.8)),
        *house(
            x - 6.8,
            y + 1.5,
            ground,
            0.25,
            size=(7.0, 5.0, 3.2),
            inks=("f3ead8", "b4513a", "3f6f86"),
            seed=2,
        ),
    ]


def attached(motion: Motion, offset: Vector, rotation: Vector | None = None) -> Motion:
    """Return the motion of a thing fixed to a moving body."""
    own = np.eye(3) if rotation is None else rotation

    def pose(seconds: float) -> Pose:
        body = motion(seconds)
        return Pose(body.rotation @ own, body.rotation @ offset + body.translation)

    return pose


def sailing_boat(motion: Motion, size: float, hull: str, stripe: str) -> list[Part]:
    """Build a sloop along +x, `size` times 7 m long, heeling and pitching by its motion."""
    s = size
    deck = [
        (-1.05 * s, 0.9 * s),
        (-0.75 * s, -0.25 * s),
        (0.75 * s, -0.25 * s),
        (1.05 * s, 0.9 * s),
    ]
    body = prism(deck, -3.4 * s, 3.6 * s)
    bow = np.array([[0.80, 0.60, 0.0], [0.80, -0.60, 0.0]])
    shape = Convex(
        np.concatenate([body.directions, bow]),
        np.concatenate([body.offsets, [2.75 * s, 2.75 * s]]),
        body.corners,
    )

    def sail(points: list[tuple[float, float]]) -> Convex:
        flat = prism(points, -0.05, 0.05)
        swap = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1.0]])
        return Convex(flat.directions @ swap, flat.offsets, flat.corners @ swap)

    main = sail([(-2.9 * s, 1.8 * s), (0.15 * s, 1.8 * s), (0.25 * s, 9.2 * s)])
    jib = sail([(0.6 * s, 1.5 * s), (3.3 * s, 1.3 * s), (0.55 * s, 8.0 * s)])
    swing = turn(0.22)
    return [
        Part(shape, bands((hull, "f3eee2"), 0.66 * s, 0.25 * s), motion, still=False),
        Part(
            box((-3.3 * s, -0.85 * s, 0.86 * s), (1.6 * s, 0.85 * s, 0.98 * s)),
            planks("b98a58"),
            motion,
            still=False,
        ),
        Part(
            box((-1.0 * s, -0.55 * s, 0.9 * s), (0.9 * s, 0.55 * s, 1.45 * s)),
            plain("efe6d4"),
            motion,
            still=False,
        ),
        Part(
            Frustum(0.09 * s, 0.06 * s, 9.0 * s),
            plain("7a5636"),
            attached(motion, np.array([0.4 * s, 0, 0.6 * s])),
            still=False,
        ),
        Part(main, sailcloth("fbf4e4", stripe), attached(motion, np.zeros(3), swing), still=False),
        Part(jib, sailcloth("f6ead2", stripe), attached(motion, np.zeros(3), swing), still=False),
    ]


def bird(motion: Motion, size: float, beat_hz: float) -> list[Part]:
    """Build a gull flying along +x; each wing is rigid and turns about the body."""
    parts = [Part(Ellipsoid((0.42 * size, 0.13 * size, 0.12 * size)), plain("f4f1ea"), motion, still=False)]
    for side in (-1, 1):

        def flap(seconds: float, side: int = side) -> Pose:
            body = motion(seconds)
            lift = side * (0.25 + 0.55 * math.sin(2 * math.pi * beat_hz * seconds))
            c, s = math.cos(lift), math.sin(lift)
            return Pose(body.rotation @ np.array([[1, 0, 0], [0, c, -s], [0, s, c]]), body.translation)

        low, high = sorted((0.05 * side * size, 0.95 * side * size))
        flat = box((-0.16 * size, low, -0.02 * size), (0.20 * size, high, 0.03 * size))
        tip = np.array([[0.9, 0.45 * side, 0.0], [-0.6, 0.35 * side, 0.0]])
        wing = Convex(
            np.concatenate([flat.directions, tip]),
            np.concatenate([flat.offsets, [0.42 * size, 0.36 * size]]),
            flat.corners,
        )
        parts.append(Part(wing, plain("dfe3e6"), flap, still=False))
    return parts


def balloon(motion: Motion, size: float) -> list[Part]:
    """Build a hot-air balloon of `size` metres radius."""
    paint = gores(("e2553d", "f6c24f", "f7efe0", "3c7fa8"), 16)
    return [
        Part(Ellipsoid((size, size, 1.08 * size)), paint, motion, still=False),
        Part(
            Frustum(0.30 * size, 0.86 * size, 0.66 * size),
            paint,
            attached(motion, np.array([0, 0, -1.32 * size])),
            still=False,
        ),
        Part(
            box((-0.16 * size, -0.16 * size, -1.78 * size), (0.16 * size, 0.16 * size, -1.52 * size)),
            plain("7b5230", 0.2, 0.7),
            motion,
            still=False,
        ),
    ]
