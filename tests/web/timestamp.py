"""Time written into pixels as black and white blocks, large enough to survive a video encoder."""

import numpy as np
from numpy.typing import NDArray

BITS = 14
# A black and a white block for reference go first.
BLOCKS = BITS + 2
BLACK, WHITE = 30, 225


def stamped(milliseconds: int, width: int, height: int) -> NDArray[np.uint8]:
    """Return a picture, (H, W, 3), that holds a time modulo 2 ** BITS."""
    bits = [0, 1, *(milliseconds >> bit & 1 for bit in range(BITS))]
    rgb = np.empty((height, width, 3), np.uint8)
    for block, bit in enumerate(bits):
        rgb[:, block * width // BLOCKS : (block + 1) * width // BLOCKS] = WHITE if bit else BLACK
    return rgb


def read_stamp(rgb: NDArray[np.uint8]) -> int | None:
    """Return the time in a picture of any tone, None if it holds none."""
    height, width = rgb.shape[:2]
    middle = rgb[height // 3 : 2 * height // 3].mean((0, 2))
    levels = [
        middle[int((block + 0.3) * width / BLOCKS) : int((block + 0.7) * width / BLOCKS)].mean()
        for block in range(BLOCKS)
    ]
    if levels[1] - levels[0] < 20:
        return None
    threshold = (levels[0] + levels[1]) / 2
    return sum(1 << bit for bit, level in enumerate(levels[2:]) if level > threshold)


def age_ms(now_ms: int, stamp: int) -> int:
    return (now_ms - stamp) % (1 << BITS)
