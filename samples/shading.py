"""Shading: colour of every pixel of a geometry buffer, in linear light.

Reads `place.py` and `buffer.py`; `scene.py` calls it on a buffer of twice the picture's size.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .buffer import FIRST_PART, GROUND, SKY, WATER, GeometryBuffer
from .field import SUN
from .noise import colour, mix, remap, sample_tile, smoothstep, tile
from .place import Place
from .sky import HORIZON_GLOW, gradient, look_up

SUNLIGHT = np.array([1.55, 1.30, 0.95], np.float32)
SKYLIGHT = np.array([0.34, 0.42, 0.58], np.float32)
_BOUNCE = np.array([0.26, 0.22, 0.16], np.float32)
# The glitter on the water comes from ahead although the sun stands behind: a painter's licence
# that buys both lit walls and a sparkling sea.
_GLITTER = np.array([-0.30, 0.86, 0.42]) / np.linalg.norm([-0.30, 0.86, 0.42])
_DEEP, _SHALLOW = colour("14607f"), colour("58c0b4")
_EXPOSURE = 1.0


def shade(place: Place, buffer: GeometryBuffer) -> NDArray[np.float32]:
    """Return linear-light colour (H, W, 3) without an upper limit."""
    out = np.zeros((*buffer.depth.shape, 3), np.float32)
    sky = buffer.surface == SKY
    rows = int(np.nonzero(sky.any(axis=1))[0].max(initial=-1)) + 1
    if rows:
        np.copyto(out[:rows], look_up(place.panorama, buffer.view, rows), where=sky[:rows, :, None])
    for surface, painter in ((GROUND, _shade_ground), (WATER, _shade_water)):
        mask = buffer.surface == surface
        if mask.any():
            out[mask] = painter(place, buffer, buffer.points(mask), buffer.depth[mask])
    _shade_parts(place, buffer, out)
    return out


def develop(linear: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Turn linear light into sRGB bytes with a soft shoulder for the highlights."""
    exposed = np.maximum(linear, 0) * np.float32(_EXPOSURE)
    shoulder = exposed * (1 + exposed * np.float32(0.16)) / (1 + exposed * np.float32(0.44))
    encoded = np.minimum(shoulder, 1.0) ** np.float32(1 / 2.2)
    # A gentle S curve and a little more colour: haze leaves the picture flat.
    encoded += np.float32(0.5) * (encoded * (1 - encoded) * (2 * encoded - 0.94))
    grey = encoded @ np.array([0.25, 0.62, 0.13], np.float32)
    encoded = np.clip(grey[..., None] + np.float32(1.07) * (encoded - grey[..., None]), 0, 1)
    return np.rint(encoded * 255).astype(np.uint8)


def _hazed(place: Place, ink: NDArray[np.float32], depth: NDArray[np.float32]) -> NDArray[np.float32]:
    amount = 1 - np.exp(-depth / np.float32(place.haze))
    return mix(ink, np.broadcast_to(HORIZON_GLOW * np.float32(0.92), ink.shape), 0.80 * amount)


def _shade_ground(
    place: Place,
    buffer: GeometryBuffer,
    points: NDArray[np.float32],
    depth: NDArray[np.float32],
) -> NDArray[np.float32]:
    x, y = points[:, 0], points[:, 1]
    ink = remap(place.field.lit, *place.field.grid(x, y))
    near = smoothstep(120, 8, depth)
    fine = sample_tile(place.paving, x * place.detail, y * place.detail)
    broad = sample_tile(tile(21, 1.2, 3.0), x * (place.detail * 0.19), y * (place.detail * 0.19))
    ink *= (1 + 0.17 * near * fine + 0.10 * broad)[:, None]
    ink *= _moving_shade(place, buffer, points)[:, None]
    return _hazed(place, np.maximum(ink, 0), depth)


def _moving_shade(place: Place, buffer: GeometryBuffer, points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the darkening by things that move close above the ground, as soft blots."""
    shade = np.ones(len(points), np.float32)
    for motion, half_x, half_y in place.casters:
        pose = motion(buffer.seconds)
        # The blot lies a little down-sun of the body.
        middle = pose.translation[:2] - SUN[:2] / SUN[2] * min(half_x, half_y) * 0.6
        axis = pose.rotation[:2, 0]
        axis = axis / max(float(np.hypot(*axis)), 1e-6)
        dx, dy = points[:, 0] - np.float32(middle[0]), points[:, 1] - np.float32(middle[1])
        ahead = (dx * np.float32(axis[0]) + dy * np.float32(axis[1])) / np.float32(half_x)
        aside = (dy * np.float32(axis[0]) - dx * np.float32(axis[1])) / np.float32(half_y)
        shade *= 1 - 0.62 * smoothstep(1.25, 0.7, ahead**4 + aside**4)
    return shade


def _shade_water(
    place: Place,
    buffer: GeometryBuffer,
    points: NDArray[np.float32],
    depth: NDArray[np.float32],
) -> NDArray[np.float32]:
    x, y, seconds = points[:, 0], points[:, 1], np.float32(buffer.seconds)
    slope_x, slope_y = np.zeros_like(x), np.zeros_like(x)
    for seed, metres, heading, speed, steep in (
        (50, 60.0, 0.3, 1.9, 0.060),
        (52, 21.0, -0.6, 1.2, 0.065),
        (54, 8.0, 0.9, 0.8, 0.070),
    ):
        # Waves finer than a pixel would only flicker.
        steep_here = np.float32(steep) * np.exp(-depth / np.float32(9 * metres))
        drift_x, drift_y = np.cos(heading) * speed * seconds, np.sin(heading) * speed * seconds
        u, v = (x + drift_x) / np.float32(metres), (y * np.float32(1.5) + drift_y) / metres
        slope_x += steep_here * sample_tile(tile(seed, 1.8, 3.0), u, v)
        slope_y += steep_here * sample_tile(tile(seed + 1, 1.8, 3.0), u, v)

    camera = buffer.view.camera
    gaze = (points - np.asarray(camera.position, np.float32)) / depth[:, None]
    gaze /= np.linalg.norm(gaze, axis=1, keepdims=True)
    normal = np.stack([-slope_x, -slope_y, np.ones_like(x)], axis=1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    facing = np.clip(-np.sum(gaze * normal, axis=1), 0, 1)
    mirror = gaze + 2 * facing[:, None] * normal
    lift = np.abs(mirror[:, 2]) / np.maximum(np.hypot(mirror[:, 0], mirror[:, 1]), 1e-3)
    sky = gradient(np.minimum(lift * 1.25 + 0.06, 1))

    bed = place.field.height_at(x, y)
    below = -bed
    shallow = smoothstep(6.0, 0.2, below + 6 * slope_x)
    body = mix(np.broadcast_to(_DEEP, sky.shape), np.broadcast_to(_SHALLOW, sky.shape), shallow)
    body *= (0.92 + 2.6 * (slope_x + slope_y))[:, None]
    fresnel = 0.03 + 0.72 * (1 - facing) ** 4
    ink = mix(body, sky, fresnel)

    swash = 0.30 + 0.20 * np.sin(0.9 * seconds + 0.22 * x + 0.13 * y)
    lace = sample_tile(tile(57, 1.45, 5.0), x / 9 + 0.02 * seconds, y / 9 - 0.015 * seconds)
    foam = smoothstep(0.9, 0.0, below / np.maximum(swash * 1.6, 0.1) + 0.42 * lace)
    line = np.abs(below - 1.15 - 0.35 * np.sin(0.7 * seconds + 0.1 * y) - 0.3 * lace)
    foam = np.maximum(foam, 0.55 * smoothstep(0.20, 0.02, line))
    ink = mix(ink, np.broadcast_to(colour("fbf6ec") * 1.15, ink.shape), foam)

    half = _GLITTER.astype(np.float32) - gaze
    half /= np.linalg.norm(half, axis=1, keepdims=True)
    # Small facets flash one by one: the power is high, the slopes are exaggerated.
    tilt_x, tilt_y = half[:, 0] + 1.7 * slope_x, half[:, 1] + 1.7 * slope_y
    spark = np.exp(-(tilt_x**2 + tilt_y**2) * np.float32(210)) * (1 - foam)
    ink += (1.5 * spark * smoothstep(6, 60, depth))[:, None] * colour("ffe2b0")
    ink *= (0.45 + 0.55 * smoothstep(-0.5, 0.5, -place.field.shadow_at(x, y)))[:, None]
    return _hazed(place, ink, depth * 0.8)


def _shade_parts(place: Place, buffer: GeometryBuffer, out: NDArray[np.float32]) -> None:
    rows, columns = np.nonzero(buffer.surface >= FIRST_PART)
    if not len(rows):
        return
    numbers = buffer.surface[rows, columns]
    order = np.argsort(numbers, kind="stable")
    rows, columns, numbers = rows[order], columns[order], numbers[order]
    points = buffer.points_at(rows, columns)
    albedo, normals = np.empty_like(points), np.empty_like(points)
    gloss = np.zeros(len(rows), np.float32)
    bounds = np.flatnonzero(np.diff(numbers, prepend=-1, append=-1))
    for start, end in pairwise(bounds):
        part = place.parts[numbers[start] - FIRST_PART]
        pose = part.pose(buffer.seconds)
        rotation = pose.rotation.astype(np.float32)
        local = (points[start:end] - pose.translation.astype(np.float32)) @ rotation
        facing = part.shape.normals(local)
        albedo[start:end] = part.paint(local, facing)
        normals[start:end] = facing @ rotation.T
        gloss[start:end] = part.gloss
    sun = np.clip(normals @ SUN.astype(np.float32), 0, 1)
    moved = points + (0.7 * normals + 0.25 * SUN).astype(np.float32)
    sun *= place.field.sunlight(moved)
    open_sky = (0.5 + 0.5 * normals[:, 2])[:, None]
    clearance = points[:, 2] - place.field.height_at(points[:, 0], points[:, 1])
    corner = 0.72 + 0.28 * smoothstep(0.0, 1.6, np.abs(clearance))
    light = sun[:, None] * SUNLIGHT + corner[:, None] * (open_sky * SKYLIGHT + (1 - open_sky) * _BOUNCE)
    ink = albedo * light + gloss[:, None] * np.float32(0.5)
    out[rows, columns] = _hazed(place, ink, buffer.depth[rows, columns])
