"""Painted sky: gradient, sun glow, clouds and far mountains on one panorama by direction.

All of it lies at infinity, so only a turn of the camera moves it. Used by the places and by
`shading.py`; must not import either.
"""

import numpy as np
from numpy.typing import NDArray

from .camera import View
from .noise import colour, mix, remap, sample_tile, smoothstep, tile

# Azimuth in radians either side of north, and the tangent of elevation, covered by a panorama.
AZIMUTH_LIMIT = 1.7
LOW_TANGENT, HIGH_TANGENT = -0.04, 0.86
_WIDTH, _HEIGHT = 4096, 1024
HORIZON_GLOW = colour("f6e2c4")
_STOPS = ((0.0, "f6dfc0"), (0.10, "d9dfd9"), (0.28, "93c1e0"), (0.60, "4f93cf"), (1.0, "2f6fb4"))


def gradient(elevation: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the clear sky's linear-light colour (..., 3) by tangent of elevation."""
    places = [place for place, _ in _STOPS]
    inks = np.array([colour(code) for _, code in _STOPS])
    return np.stack([np.interp(elevation, places, inks[:, channel]) for channel in range(3)], axis=-1).astype(
        np.float32
    )


def paint_panorama(seed: int, cover: float, mountains: float) -> NDArray[np.float32]:
    """Paint a (1024, 4096, 3) panorama, top row highest.

    `cover` moves the share of clouds up (0 = few); `mountains` is the tangent of the far range's
    height, 0 for open sea.
    """
    azimuth = np.linspace(-AZIMUTH_LIMIT, AZIMUTH_LIMIT, _WIDTH, dtype=np.float32)[None, :]
    tangent = np.linspace(HIGH_TANGENT, LOW_TANGENT, _HEIGHT, dtype=np.float32)[:, None]
    azimuth, tangent = (np.ascontiguousarray(a) for a in np.broadcast_arrays(azimuth, tangent))
    sky = gradient(tangent)
    glow = np.exp(-((azimuth + 0.55) ** 2) / 0.5 - np.maximum(tangent, 0) * 5)
    sky = mix(sky, np.broadcast_to(colour("ffd9a0"), sky.shape), 0.55 * glow)
    sky = _add_clouds(sky, azimuth, tangent, seed, cover)
    if mountains > 0:
        for layer, (lift, ink) in enumerate(((1.0, "a9b9c9"), (0.62, "8fa8b8"), (0.34, "7b9a9c"))):
            sky = _add_range(sky, azimuth, tangent, seed + layer, mountains * lift, ink)
    return sky


def look_up(panorama: NDArray[np.float32], view: View, rows: int) -> NDArray[np.float32]:
    """Return the panorama behind the first `rows` image rows, (rows, W, 3)."""
    across = view.across[None, :]
    azimuth = np.arctan(across) + np.float32(view.camera.yaw)
    tangent = view.rise[:rows, None] / np.sqrt(1 + across * across)
    columns = (azimuth + AZIMUTH_LIMIT) * np.float32((_WIDTH - 1) / (2 * AZIMUTH_LIMIT))
    lines = (HIGH_TANGENT - tangent) * np.float32((_HEIGHT - 1) / (HIGH_TANGENT - LOW_TANGENT))
    columns = np.ascontiguousarray(np.broadcast_to(columns, lines.shape))
    return remap(panorama, columns, lines.astype(np.float32))


def _add_clouds(
    sky: NDArray[np.float32],
    azimuth: NDArray[np.float32],
    tangent: NDArray[np.float32],
    seed: int,
    cover: float,
) -> NDArray[np.float32]:
    # Clouds flatten and crowd towards the horizon like a layer seen from below.
    flat = np.sqrt(np.maximum(tangent, 0) + 0.015)
    u, v = azimuth * 0.30, flat * 0.85

    def density(du: float, dv: float) -> NDArray[np.float32]:
        big = sample_tile(tile(seed, 2.4, 2.0), u + du, v + dv)
        # Folded noise swells in round heads and creases between them, as cumulus does.
        mid = sample_tile(tile(seed + 1, 1.8, 3.0), 1.7 * (u + du), 1.7 * (v + dv))
        small = sample_tile(tile(seed + 2, 1.6, 4.0), 3.9 * (u + du), 3.9 * (v + dv))
        folds = 0.55 * (0.7 - np.abs(mid)) + 0.22 * (0.7 - np.abs(small))
        return (big + folds).astype(np.float32)

    body = density(0, 0) + np.float32(cover) - 0.9 * smoothstep(0.45, 0.95, tangent)
    opacity = smoothstep(0.35, 1.0, body) * smoothstep(0.0, 0.05, tangent)
    toward_sun = smoothstep(-0.55, 0.75, density(0, 0) - density(-0.012, 0.022))
    thick = smoothstep(0.6, 2.2, body)
    shade, bright = colour("9fb0cc"), colour("fff6e6")
    ink = mix(
        np.broadcast_to(shade, sky.shape),
        np.broadcast_to(bright, sky.shape),
        np.clip(toward_sun * 0.9 + 0.25 - 0.30 * thick, 0, 1),
    )
    ink = mix(ink, np.broadcast_to(HORIZON_GLOW, sky.shape), 0.55 * smoothstep(0.22, 0.0, tangent))
    return mix(sky, ink * np.float32(1.06), 0.95 * opacity)


def _add_range(
    sky: NDArray[np.float32],
    azimuth: NDArray[np.float32],
    tangent: NDArray[np.float32],
    seed: int,
    lift: float,
    code: str,
) -> NDArray[np.float32]:
    line = sample_tile(tile(seed + 40, 1.5, 2.0), azimuth[:1] * 0.21, azimuth[:1] * 0.07 + 0.3)
    fade = smoothstep(1.3, 0.2, np.abs(azimuth[:1] - 0.25))
    crest = lift * (0.55 + 0.28 * line) * fade - 0.004
    inside = smoothstep(-0.0006, 0.0006, crest - tangent)
    folds = sample_tile(tile(seed + 44, 1.4, 3.0), azimuth * 1.3 + tangent * 1.2, tangent * 2.6)
    height = np.clip(tangent / np.maximum(crest, 1e-4), 0, 1)
    ink = colour(code) * (1 + 0.13 * folds * height)[..., None]
    ink = mix(
        ink.astype(np.float32),
        np.broadcast_to(HORIZON_GLOW, sky.shape),
        0.6 * smoothstep(0.9, 0.0, height),
    )
    return mix(sky, ink, inside)
