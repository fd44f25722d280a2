"""Painters: colour of a solid by object-space point and normal, fixed to the surface.

A painter takes points and normals (N, 3) and returns linear-light colour (N, 3) without sunlight.
Used by `building.py` and the places; must not import them.
"""

import numpy as np
from numpy.typing import NDArray

from .noise import colour, mix, sample_tile, smoothstep, tile
from .solid import Painter

Points = NDArray[np.float32]


def _along_wall(points: Points, normals: Points) -> NDArray[np.float32]:
    sideways = np.abs(normals[:, 0]) > np.abs(normals[:, 1])
    return np.where(sideways, points[:, 1], points[:, 0]).astype(np.float32)


def _filled(ink: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    return np.repeat(ink[None, :], count, axis=0)


def plain(code: str, grain: float = 0.08, scale: float = 0.15) -> Painter:
    """One colour with cloudy grain; `scale` in tiles per metre."""
    ink = colour(code)

    def paint(points: Points, normals: Points) -> Points:
        u = points[:, 0] + 0.53 * points[:, 2]
        v = points[:, 1] + 0.71 * points[:, 2]
        speck = sample_tile(tile(3, 1.1, 2.0), u * np.float32(scale), v * np.float32(scale))
        return ink * (1 + grain * speck)[:, None]

    return paint


def wall(code: str, shutter: str, *, storey: float, spacing: float, seed: int) -> Painter:
    """Plaster with a stone foot, shuttered windows on every storey and doors on the south side."""
    ink, shutter_ink = colour(code), colour(shutter)
    frame_ink, stone, glass = colour("f4ecdc"), colour("a59a8c"), colour("2b4258")

    def paint(points: Points, normals: Points) -> Points:
        along, z = _along_wall(points, normals), points[:, 2]
        offset = np.float32(0.137 * seed)
        stain = sample_tile(tile(5, 1.3, 2.0), along * 0.07 + offset, z * 0.07)
        grit = sample_tile(tile(6, 0.7, 8.0), along * 0.21 + offset, z * 0.21)
        out = ink * (1 + 0.07 * stain + 0.045 * grit)[:, None]
        foot = smoothstep(0.75, 0.70, z + 0.08 * stain)
        course = np.floor(z / 0.28)
        joint = np.abs((along / 0.55 + 0.5 * course) % 1 - 0.5) > 0.455
        joint |= np.abs((z / 0.28) % 1 - 0.5) > 0.43
        masonry = stone * (1 + 0.16 * grit - 0.30 * joint)[:, None]
        out = mix(out, masonry.astype(np.float32), foot)

        level = np.floor(z / storey)
        cell = np.floor(along / spacing + 0.5)
        x = along - cell * spacing
        y = z - level * storey - 0.56 * storey
        door = (level == 0) & (normals[:, 1] < -0.5) & (cell % 2 == (seed % 2))
        tall = np.where(door, 0.32 * storey + 0.56 * storey, 0.60)
        low = np.where(door, -0.56 * storey, -0.62)
        upright = (z > 0.02) & (np.abs(normals[:, 2]) < 0.5)
        lit = upright & (y < np.where(door, 0.30 * storey, tall)) & (y > low)
        wide = np.where(door, 0.50, 0.40)
        out[lit & (np.abs(x) < wide + 0.11)] = frame_ink
        wings = upright & ~door & (np.abs(y) < 0.66) & (np.abs(np.abs(x) - 0.70) < 0.24)
        slats = 1 - 0.25 * ((z * 9) % 1 > 0.6)
        out[wings] = shutter_ink * slats[wings, None]
        pane = lit & (np.abs(x) < wide) & (y > low + 0.08) & (y < tall - 0.08)
        sheen = 1 + 0.9 * smoothstep(-0.5, 0.7, y + 0.8 * x)
        out[pane] = glass * sheen[pane, None]
        out[pane & door] = shutter_ink * 0.8 * slats[pane & door, None]
        bars = pane & ~door & ((np.abs(x) < 0.035) | (np.abs(y - 0.1) < 0.035))
        out[bars] = frame_ink
        sill = upright & ~door & (np.abs(y + 0.68) < 0.06) & (np.abs(x) < 0.58)
        out[sill] = stone
        return out.astype(np.float32)

    return paint


def roof(code: str, gable: str, eave: float) -> Painter:
    """Rows of clay tiles on the slopes and plaster on the gable ends; ridge along x."""
    ink, wall_ink, shade = colour(code), colour(gable), colour("5a4030")

    def paint(points: Points, normals: Points) -> Points:
        x, y, z = points[:, 0], points[:, 1], points[:, 2]
        down = np.hypot(y, z - eave) * 2.6
        row = np.floor(down)
        column = x * 3.1 + 0.5 * (row % 2)
        pick = sample_tile(tile(8, 0.3, 20.0), np.floor(column) * np.float32(0.0371), row * np.float32(0.0713))
        lip = 1 - 0.34 * smoothstep(0.72, 1.0, down - row)
        barrel = 0.90 + 0.16 * np.sin(2 * np.pi * column)
        moss = smoothstep(0.6, 2.2, sample_tile(tile(9, 1.8, 2.0), x * 0.05, down * 0.02))
        out = ink * ((1 + 0.13 * pick) * lip * barrel)[:, None]
        out = mix(out.astype(np.float32), _filled(colour("77794e"), len(x)), 0.45 * moss)
        ends = np.abs(normals[:, 0]) > 0.5
        grit = sample_tile(tile(6, 0.7, 8.0), y * 0.21, z * 0.21)
        out[ends] = (wall_ink * (1 + 0.05 * grit)[:, None])[ends]
        height = z - eave
        out[ends & (np.hypot(y, height - 0.75) < 0.42)] = colour("f4ecdc")
        out[ends & (np.hypot(y, height - 0.75) < 0.32)] = colour("2b4258")
        out[normals[:, 2] < -0.5] = shade
        return out

    return paint


def bands(codes: tuple[str, ...], tall: float, offset: float = 0.0) -> Painter:
    """Horizontal bands of `tall` metres in turn, over weathered masonry."""
    inks = np.array([colour(code) for code in codes])

    def paint(points: Points, normals: Points) -> Points:
        z = points[:, 2]
        angle = np.arctan2(points[:, 1], points[:, 0])
        band = np.floor((z + offset) / tall).astype(int) % len(inks)
        run = sample_tile(tile(10, 1.2, 3.0), angle * np.float32(0.16), z * np.float32(0.015))
        grit = sample_tile(tile(6, 0.7, 8.0), angle * np.float32(0.5), z * np.float32(0.15))
        seams = np.abs((z / 0.62) % 1 - 0.5) > 0.46
        out = inks[band] * (1 + 0.07 * run + 0.04 * grit - 0.09 * seams)[:, None]
        return out.astype(np.float32)

    return paint


def foliage(dark: str, light: str, seed: int = 0) -> Painter:
    """Leaves in clumps, lighter towards the top."""
    low, high = colour(dark), colour(light)

    def paint(points: Points, normals: Points) -> Points:
        u = points[:, 0] + 0.6 * points[:, 2] + np.float32(seed * 1.7)
        v = 0.8 * points[:, 1] + 0.9 * points[:, 2]
        clump = sample_tile(tile(12, 1.0, 6.0), u * np.float32(0.06), v * np.float32(0.06))
        leaf = sample_tile(tile(31, 0.6, 12.0), u * np.float32(0.11), v * np.float32(0.11))
        amount = np.clip(0.42 + 0.22 * clump + 0.16 * leaf + 0.34 * normals[:, 2], 0, 1)
        shaded = mix(_filled(low, len(u)), _filled(high, len(u)), amount)
        return shaded * (1 + 0.16 * leaf)[:, None]

    return paint


def gores(codes: tuple[str, ...], count: int) -> Painter:
    """Upright stripes around the vertical axis, as on a balloon or a beach ball."""
    inks = np.array([colour(code) for code in codes])

    def paint(points: Points, normals: Points) -> Points:
        turnpart = np.arctan2(points[:, 1], points[:, 0]) / (2 * np.pi) * count
        picked = inks[np.floor(turnpart).astype(int) % len(inks)]
        seam = np.abs(turnpart % 1 - 0.5) > 0.47
        return (picked * (1 - 0.2 * seam)[:, None]).astype(np.float32)

    return paint


def sailcloth(code: str, stripe: str) -> Painter:
    """Cloth with panel seams and one coloured stripe."""
    ink, accent = colour(code), colour(stripe)

    def paint(points: Points, normals: Points) -> Points:
        x, z = points[:, 0], points[:, 2]
        seam = np.abs((z / 0.9 + 0.15 * x) % 1 - 0.5) > 0.465
        belly = 1 + 0.06 * np.sin(x * 1.3 + z * 0.35)
        out = ink * (belly - 0.15 * seam)[:, None]
        out[(z > 2.2) & (z < 3.4)] = accent
        return out.astype(np.float32)

    return paint


def planks(code: str) -> Painter:
    """Weathered boards along x."""
    ink = colour(code)

    def paint(points: Points, normals: Points) -> Points:
        x, cross = points[:, 0], points[:, 1] + points[:, 2]
        board = np.floor(cross / 0.24)
        grain = sample_tile(tile(14, 1.0, 4.0), x * 0.05 + board * 0.313, cross * 0.5)
        gap = np.abs((cross / 0.24) % 1 - 0.5) > 0.44
        return (ink * (1 + 0.12 * grain - 0.35 * gap)[:, None]).astype(np.float32)

    return paint
