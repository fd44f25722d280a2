"""Tileable noise textures and the few curves that paint with them.

Noise is shaped in the Fourier domain, which makes it periodic for free. Used by every painting
module; imports nothing of this package.
"""

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

TILE_SIZE = 512
# cv2.remap rejects destination sides of 32767 and more, so point lists are folded into rows.
_FOLD = 1024


@cache
def tile(seed: int, roughness: float = 1.6, coarsest: float = 1.0) -> NDArray[np.float32]:
    """Return a periodic (512, 512) texture of zero mean and unit deviation.

    `roughness` is the exponent by which amplitude falls with frequency (smooth above 2) and
    `coarsest` the lowest frequency kept, in cycles per tile.
    """
    white = np.random.default_rng(seed).standard_normal((TILE_SIZE, TILE_SIZE))
    frequency = np.hypot(np.fft.fftfreq(TILE_SIZE)[:, None] * TILE_SIZE, np.fft.rfftfreq(TILE_SIZE) * TILE_SIZE)
    gain = np.where(frequency < coarsest, 0.0, np.maximum(frequency, 1.0) ** -roughness)
    shaped = np.fft.irfft2(np.fft.rfft2(white) * gain, s=(TILE_SIZE, TILE_SIZE))
    return ((shaped - shaped.mean()) / shaped.std()).astype(np.float32)


def sample_tile(texture: NDArray[np.float32], u: NDArray[np.floating], v: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the texture at (u, v) in tiles, wrapping around; keeps the shape of `u`."""
    columns = ((u - np.floor(u)) * texture.shape[1]).astype(np.float32, copy=False)
    rows = ((v - np.floor(v)) * texture.shape[0]).astype(np.float32, copy=False)
    return remap(texture, columns, rows, border=cv2.BORDER_WRAP)


def remap(
    texture: NDArray[np.float32],
    columns: NDArray[np.float32],
    rows: NDArray[np.float32],
    *,
    border: int = cv2.BORDER_REPLICATE,
) -> NDArray[np.float32]:
    """Return bilinear samples for point lists (N,) as well as for pictures (H, W)."""
    if columns.ndim == 2 and max(columns.shape) < 32000:
        picked = cv2.remap(texture, columns, rows, cv2.INTER_LINEAR, borderMode=border)
        return np.asarray(picked, np.float32)
    count = columns.size
    padding = -count % _FOLD
    folded = [np.pad(axis.reshape(-1), (0, padding)).reshape(-1, _FOLD) for axis in (columns, rows)]
    picked = cv2.remap(texture, folded[0], folded[1], cv2.INTER_LINEAR, borderMode=border)
    flat = np.asarray(picked, np.float32).reshape(-1, *texture.shape[2:])[:count]
    return flat.reshape(*columns.shape, *texture.shape[2:])


def smoothstep(low: float, high: float, value: NDArray[np.floating] | float) -> NDArray[np.float32]:
    """Return 0 below `low`, 1 above `high` and a soft ramp between; `low` may exceed `high`."""
    ramp = np.clip((np.asarray(value, dtype=np.float32) - low) / (high - low), 0.0, 1.0)
    return (ramp * ramp * (3 - 2 * ramp)).astype(np.float32)


def colour(code: str) -> NDArray[np.float32]:
    """Return linear-light RGB of an sRGB colour such as "c8a070"."""
    encoded = np.array([int(code[i : i + 2], 16) / 255 for i in (0, 2, 4)])
    return (encoded**2.2).astype(np.float32)


def mix(first: NDArray[np.float32], second: NDArray[np.float32], amount: NDArray[np.float32]) -> NDArray[np.float32]:
    """Blend colours (..., 3) by an amount (...) in 0-1."""
    return (first + (second - first) * amount[..., None]).astype(np.float32)


@cache
def cobbles(count: int = 24) -> NDArray[np.float32]:
    """Return a periodic (512, 512) texture of rounded stones, `count` a side, about zero."""
    random = np.random.default_rng(17)
    jitter = random.uniform(0.18, 0.82, (count, count, 2)).astype(np.float32)
    shade = random.normal(0, 0.55, (count, count)).astype(np.float32)
    steps = (np.arange(TILE_SIZE, dtype=np.float32) + 0.5) * np.float32(count / TILE_SIZE)
    u, v = np.meshgrid(steps, steps)
    first, second = np.full_like(u, 9.0), np.full_like(u, 9.0)
    own = np.zeros_like(u)
    for down in (-1, 0, 1):
        for along in (-1, 0, 1):
            row, column = np.floor(v) + down, np.floor(u) + along
            cell = (row.astype(int) % count, column.astype(int) % count)
            gap = np.hypot(u - column - jitter[cell][..., 0], v - row - jitter[cell][..., 1])
            closer = gap < first
            second = np.where(closer, first, np.minimum(second, gap))
            own = np.where(closer, shade[cell], own)
            first = np.where(closer, gap, first)
    return (own + 0.5 - 2.6 * smoothstep(0.26, 0.04, second - first)).astype(np.float32)
