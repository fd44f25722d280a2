"""Geometry buffer: which surface each pixel sees, where, and where that surface goes next.

Turns a place and a time into depth and surface numbers, and two of those into exact optical flow
and occlusion. Fed by `place.py`; must not import `shading.py` or `scene.py`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .camera import View
from .noise import sample_tile, tile
from .place import Place
from .solid import Part, Rays

SKY, GROUND, WATER, FIRST_PART = 0, 1, 2, 3
# Depths of one surface agree within this share: a pixel's worth of slant, seen on the hills.
_DEPTH_TOLERANCE = 0.02
# Metres; nothing of a solid is drawn closer to the camera.
_NEAR = 0.2


@dataclass(frozen=True, slots=True)
class GeometryBuffer:
    """Depth in metres (infinity for sky) and surface number of every pixel, both (H, W)."""

    view: View
    seconds: float
    depth: NDArray[np.float32]
    surface: NDArray[np.int16]

    def points(self, mask: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Return the world points of the masked pixels, (N, 3)."""
        rows, columns = np.nonzero(mask)
        return self.points_at(rows, columns)

    def points_at(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.float32]:
        camera, depth = self.view.camera, self.depth[rows, columns]
        sideways = depth * self.view.across[columns]
        out = np.empty((len(rows), 3), np.float32)
        for axis in range(2):
            forward, right = np.float32(camera.forward[axis]), np.float32(camera.right[axis])
            out[:, axis] = camera.position[axis] + depth * forward + sideways * right
        out[:, 2] = camera.position[2] + depth * self.view.rise[rows]
        return out


def fill_buffer(place: Place, seconds: float, width: int, height: int) -> GeometryBuffer:
    """Find the nearest surface of every pixel of a place at a time."""
    view = View(place.camera(seconds), width, height)
    depth = place.field.cast(view, place.far)
    surface = np.where(np.isinf(depth), SKY, GROUND).astype(np.int16)

    rise = view.rise[:, None]
    water = np.where(rise < -1e-5, -view.camera.position[2] / np.minimum(rise, -1e-5), np.inf)
    wet = water < depth
    depth = np.where(wet, water, depth).astype(np.float32)
    surface[wet] = WATER

    for number, part in enumerate(place.parts, FIRST_PART):
        _draw(part, number, view, seconds, depth, surface)
    return GeometryBuffer(view, seconds, depth, surface)


def _draw(
    part: Part,
    number: int,
    view: View,
    seconds: float,
    depth: NDArray[np.float32],
    surface: NDArray[np.int16],
) -> None:
    pose, camera = part.pose(seconds), view.camera
    corners = part.shape.corners @ pose.rotation.T + pose.translation
    left, right, top, bottom = _window(view, corners)
    if left >= right or top >= bottom:
        return
    inverse = pose.rotation.T
    rays = Rays(
        inverse @ (np.asarray(camera.position) - pose.translation),
        inverse @ camera.forward,
        inverse @ camera.right,
        inverse @ np.array([0, 0, 1.0]),
        view.across[None, left:right],
        view.rise[top:bottom, None],
    )
    hit = part.shape.cast(rays)
    nearest = depth[top:bottom, left:right]
    closer = hit < nearest
    if not closer.any():
        return
    if part.ragged:
        _fray(part, rays, hit, closer)
    np.copyto(nearest, hit, where=closer)
    surface[top:bottom, left:right][closer] = number


def _window(view: View, corners: NDArray[np.float64]) -> tuple[int, int, int, int]:
    """Return left, right, top and bottom of the pixels that the hull of points (N, 3) may cover."""
    depth = (corners - np.asarray(view.camera.position)) @ view.camera.forward
    ahead, behind = corners[depth >= _NEAR], corners[depth < _NEAR]
    if not len(ahead):
        return 0, 0, 0, 0
    if len(behind):
        # Cut every line between the two groups at the near plane; the hull of the cuts is enough.
        share = (_NEAR - depth[depth < _NEAR])[:, None] / (
            depth[depth >= _NEAR][None, :] - depth[depth < _NEAR][:, None]
        )
        cuts = behind[:, None] + share[..., None] * (ahead[None] - behind[:, None])
        ahead = np.concatenate([ahead, cuts.reshape(-1, 3)])
    columns, rows, _ = view.project(ahead)
    left, right = np.clip([columns.min(), columns.max() + 2], 0, view.width).astype(int)
    top, bottom = np.clip([rows.min(), rows.max() + 2], 0, view.height).astype(int)
    return int(left), int(right), int(top), int(bottom)


def _fray(part: Part, rays: Rays, hit: NDArray[np.float32], closer: NDArray[np.bool_]) -> None:
    """Bite leaf-sized gaps into the rim of a solid, in place."""
    rows, columns = np.nonzero(closer)
    depth = hit[rows, columns]
    heading = [rays.along(axis)[rows, columns] for axis in range(3)]
    points = np.stack([np.float32(rays.origin[axis]) + depth * heading[axis] for axis in range(3)], axis=1)
    normals = part.shape.normals(points)
    facing = -sum(normals[:, axis] * heading[axis] for axis in range(3))
    u, v = points[:, 0] + 0.6 * points[:, 2], 0.8 * points[:, 1] + 0.9 * points[:, 2]
    leaves = sample_tile(tile(31, 0.6, 12.0), u * np.float32(0.11), v * np.float32(0.11))
    closer[rows, columns] = facing > part.ragged * (0.5 + 0.45 * leaves)


def forward_flow(
    place: Place, now: GeometryBuffer, after: GeometryBuffer
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the motion (H, W, 2) in pixels from `now` to `after`, and what is hidden after it.

    `after` may as well be the frame before: the result is then the backward flow.
    """
    shape = now.depth.shape
    target = np.zeros((*shape, 3))  # column, row, depth in the other frame
    for number in np.unique(now.surface):
        rows, columns = np.nonzero(now.surface == number)
        if number == SKY:
            target[rows, columns] = _turn_sky(now.view, after.view, rows, columns)
            continue
        points = now.points_at(rows, columns).astype(np.float64)
        if number >= FIRST_PART and not place.parts[number - FIRST_PART].still:
            pose = place.parts[number - FIRST_PART].pose
            start, end = pose(now.seconds), pose(after.seconds)
            local = (points - start.translation) @ start.rotation
            points = local @ end.rotation.T + end.translation
        target[rows, columns] = np.stack(after.view.project(points), axis=1)

    grid_rows, grid_columns = np.indices(shape)
    flow = np.stack([target[..., 0] - grid_columns, target[..., 1] - grid_rows], axis=-1)
    return flow.astype(np.float32), _hidden(now, after, target)


def _turn_sky(now: View, after: View, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.float64]:
    across, rise = now.across[columns].astype(np.float64), now.rise[rows].astype(np.float64)
    heading = now.camera.forward + across[:, None] * now.camera.right
    ahead = heading @ after.camera.forward
    column, row = after.project_slopes(heading @ after.camera.right / ahead, rise / ahead)
    return np.stack([column, row, np.full_like(column, np.inf)], axis=1)


def _hidden(now: GeometryBuffer, after: GeometryBuffer, target: NDArray[np.float64]) -> NDArray[np.bool_]:
    """A point is visible if, among the four pixels around its target, its surface lies there at
    its depth. Inverse depth is compared, which is linear over a plane's picture."""
    height, width = now.depth.shape
    column, row, depth = target[..., 0], target[..., 1], target[..., 2]
    outside = ~((column >= 0) & (column <= width - 1) & (row >= 0) & (row <= height - 1))
    outside |= depth <= 0
    left = np.clip(np.nan_to_num(column), 0, width - 2).astype(np.intp)
    top = np.clip(np.nan_to_num(row), 0, height - 2).astype(np.intp)
    with np.errstate(divide="ignore"):
        expected, found = 1 / depth, 1 / after.depth
    nearest, farthest = np.full_like(depth, -np.inf), np.full_like(depth, np.inf)
    for down in (0, 1):
        for along in (0, 1):
            place = (top + down, left + along)
            same = after.surface[place] == now.surface
            np.maximum(nearest, found[place], out=nearest, where=same)
            np.minimum(farthest, found[place], out=farthest, where=same)
    slack = np.abs(expected) * _DEPTH_TOLERANCE + 1e-9
    return outside | ~((expected <= nearest + slack) & (expected >= farthest - slack))
