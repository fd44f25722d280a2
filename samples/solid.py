"""Solids that rays can hit: convex polyhedra, frusta and ellipsoids, each with a rigid pose.

A solid answers one question per pixel, at which depth its surface is hit, and one per point, which
way the surface faces. Sits between `camera.py` and `buffer.py`; must not import either.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Painter = Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Rays:
    """Rays of a picture window in object space.

    A point on one is `origin + depth * (base + a * across + r * rise)`.
    """

    origin: Vector
    base: Vector
    across: Vector
    rise: Vector
    a: NDArray[np.float32]  # (1, w)
    r: NDArray[np.float32]  # (h, 1)

    def along(self, axis: int) -> NDArray[np.float32]:
        """Return one component of all directions, (h, w)."""
        return (
            np.float32(self.base[axis]) + np.float32(self.across[axis]) * self.a + np.float32(self.rise[axis]) * self.r
        )


class Shape(Protocol):
    """A closed surface in object space; the flow tests would show a wrong one."""

    @property
    def corners(self) -> Vector: ...

    def cast(self, rays: Rays) -> NDArray[np.float32]:
        """Return the depth of the first hit from outside, (h, w); infinity where there is none."""
        ...

    def normals(self, points: NDArray[np.float32]) -> NDArray[np.float32]: ...


@dataclass(frozen=True, slots=True)
class Pose:
    """Rigid placement: world = rotation @ object + translation."""

    rotation: Vector
    translation: Vector


@dataclass(frozen=True, slots=True)
class Part:
    """One solid of a scene; `pose` maps seconds to its placement and `still` promises no motion."""

    shape: Shape
    paint: Painter
    pose: Callable[[float], Pose]
    still: bool = True
    gloss: float = 0.0
    ragged: float = 0.0


@dataclass(frozen=True, slots=True)
class Convex:
    """Intersection of half-spaces `directions @ p <= offsets`, bounded by `corners`."""

    directions: Vector
    offsets: Vector
    corners: Vector

    def cast(self, rays: Rays) -> NDArray[np.float32]:
        enter = np.full((rays.r.shape[0], rays.a.shape[1]), 1e-3, np.float32)
        leave = np.full_like(enter, np.inf)
        for direction, offset in zip(self.directions, self.offsets, strict=True):
            gap = np.float32(offset - direction @ rays.origin)
            slope = (
                np.float32(direction @ rays.base)
                + np.float32(direction @ rays.across) * rays.a
                + np.float32(direction @ rays.rise) * rays.r
            )
            # A nudge keeps rays parallel to the face from dividing zero by zero.
            slope[slope == 0] = 1e-9
            depth = gap / slope
            facing = slope < 0
            np.maximum(enter, depth, out=enter, where=facing)
            np.minimum(leave, depth, out=leave, where=~facing)
        return np.where((enter < leave) & (enter > 1e-3), enter, np.float32(np.inf))

    def normals(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        directions = self.directions.astype(np.float32)
        nearest = np.argmax(points @ directions.T - self.offsets.astype(np.float32), axis=1)
        return directions[nearest]


@dataclass(frozen=True, slots=True)
class Frustum:
    """Upright cone stump from z = 0 to `tall`; a cylinder if its radii agree."""

    low_radius: float
    high_radius: float
    tall: float

    @property
    def corners(self) -> Vector:
        reach = max(self.low_radius, self.high_radius)
        return box_corners((-reach, -reach, 0.0), (reach, reach, self.tall))

    def cast(self, rays: Rays) -> NDArray[np.float32]:
        taper = (self.high_radius - self.low_radius) / self.tall
        dx, dy, dz = (rays.along(axis) for axis in range(3))
        ox, oy, oz = (float(value) for value in rays.origin)
        radius = self.low_radius + taper * oz
        a = dx * dx + dy * dy - (taper * dz) ** 2
        half_b = ox * dx + oy * dy - (taper * radius) * dz
        c = ox * ox + oy * oy - radius * radius
        a = np.where(np.abs(a) < 1e-9, np.float32(1e-9), a)
        root = np.sqrt(np.maximum(half_b * half_b - a * c, 0))
        side = (-half_b - np.copysign(root, a)) / a
        high = oz + side * dz
        miss = (half_b * half_b < a * c) | (high < 0) | (high > self.tall) | (side < 1e-3)
        depth = np.where(miss, np.float32(np.inf), side)
        for level, reach in ((0.0, self.low_radius), (self.tall, self.high_radius)):
            if reach > 0 and (oz - level) * (1 if level else -1) > 0:
                cap = (level - oz) / np.where(dz == 0, np.float32(1e-9), dz)
                inside = (ox + cap * dx) ** 2 + (oy + cap * dy) ** 2 < reach * reach
                depth = np.where(inside & (cap > 1e-3) & (cap < depth), cap, depth)
        return depth.astype(np.float32)

    def normals(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        taper = (self.high_radius - self.low_radius) / self.tall
        side = np.stack([points[:, 0], points[:, 1], np.zeros_like(points[:, 0])], axis=1)
        side /= np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-6)
        side[:, 2] = -taper
        side /= math.hypot(1.0, taper)
        margin = 1e-3 * self.tall
        side[points[:, 2] > self.tall - margin] = (0, 0, 1)
        side[points[:, 2] < margin] = (0, 0, -1)
        return side


@dataclass(frozen=True, slots=True)
class Ellipsoid:
    """Ellipsoid about the origin with three half axes in metres."""

    radii: tuple[float, float, float]

    @property
    def corners(self) -> Vector:
        high = np.array(self.radii)
        return box_corners(tuple(-high), tuple(high))

    def cast(self, rays: Rays) -> NDArray[np.float32]:
        dx, dy, dz = (rays.along(axis) / np.float32(self.radii[axis]) for axis in range(3))
        ox, oy, oz = (float(rays.origin[axis] / self.radii[axis]) for axis in range(3))
        a = dx * dx + dy * dy + dz * dz
        half_b = ox * dx + oy * dy + oz * dz
        # Perpendicular distance instead of b*b - a*c: float32 would cancel for far small spheres.
        nearest = -half_b / a
        gap = (ox + nearest * dx) ** 2 + (oy + nearest * dy) ** 2 + (oz + nearest * dz) ** 2
        depth = nearest - np.sqrt(np.maximum(1 - gap, 0) / a)
        return np.where((gap < 1) & (depth > 1e-3), depth, np.float32(np.inf)).astype(np.float32)

    def normals(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        outward = points / np.square(np.asarray(self.radii, np.float32))
        return outward / np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-9)


def box_corners(low: tuple[float, ...], high: tuple[float, ...]) -> Vector:
    """Return the eight corners of an axis-aligned box."""
    return np.array([[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])])


def box(low: tuple[float, float, float], high: tuple[float, float, float]) -> Convex:
    """Return an axis-aligned box."""
    directions = np.concatenate([-np.eye(3), np.eye(3)])
    return Convex(directions, np.concatenate([-np.array(low), np.array(high)]), box_corners(low, high))


def prism(outline: list[tuple[float, float]], start: float, end: float) -> Convex:
    """Return a convex (y, z) outline, counter-clockwise seen from +x, swept along x."""
    directions, offsets = [[-1.0, 0, 0], [1.0, 0, 0]], [-start, end]
    for (y0, z0), (y1, z1) in zip(outline, outline[1:] + outline[:1], strict=True):
        length = math.hypot(y1 - y0, z1 - z0)
        ny, nz = (z1 - z0) / length, (y0 - y1) / length
        directions.append([0.0, ny, nz])
        offsets.append(ny * y0 + nz * z0)
    corners = [[x, y, z] for x in (start, end) for y, z in outline]
    return Convex(np.array(directions), np.array(offsets), np.array(corners))


def turn(yaw: float) -> Vector:
    """Return the rotation about the vertical by `yaw` radians, counter-clockwise from above."""
    c, s = math.cos(yaw), math.sin(yaw)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])


def fixed(x: float, y: float, z: float, yaw: float = 0.0) -> Callable[[float], Pose]:
    """Return the motion of a thing that stands still."""
    pose = Pose(turn(yaw), np.array([x, y, z]))
    return lambda seconds: pose
