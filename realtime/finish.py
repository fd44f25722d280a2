"""What is done to the stylised picture last: enlarge it along the frame's edges, colours, strength."""

import cv2
import numpy as np
from numpy.typing import NDArray

from .compiled import compiled, repeat_for_channels
from .settings import Controls
from .stylizer import Stylized

# Window of the local regression between frame and stylised luminance, at inference size.
GAIN_WINDOW_PX = 9
# Variance of luminance (grey levels squared) under which an area counts as flat and gets no detail back.
FLAT_VARIANCE = 30.0
# Detail is never amplified beyond the frame's own, nor inverted.
GAIN_MAX = 1.0


def finish(frame: NDArray[np.uint8], made: Stylized, controls: Controls) -> NDArray[np.uint8]:
    """Return the final picture at the frame's size; `made` may be smaller. All are (H, W, 3) uint8 RGB."""
    if controls.strength == 0:
        return frame  # exactly, whatever the precision of the network
    picture = enlarge_guided(frame, made) if made.stylized.shape != frame.shape else made.stylized
    if controls.keep_colors:
        picture = with_colors_of(frame, picture)
    if controls.strength < 1 and not made.has_strength:
        picture = np.asarray(
            cv2.addWeighted(picture, controls.strength, frame, 1 - controls.strength, 0), dtype=np.uint8
        )
    return picture


def enlarge_guided(frame: NDArray[np.uint8], made: Stylized) -> NDArray[np.uint8]:
    """Enlarge the stylised picture and give it the fine detail that the frame has beyond the inference size.

    y = up(y_s) + up(a) (I - up(I_s)) with I the frame's luminance, I_s the small one, and a the local regression of
    stylised on content luminance, as in the guided filter (He et al. 2013, eq. 5; fast version 2015). Departure: the
    filter's smoothing of y_s itself is left out, since it would take the brush strokes with it.
    """
    size = (frame.shape[1], frame.shape[0])
    content_small = _luminance(made.content)
    gain = cv2.convertScaleAbs(_regression_gain(content_small, _luminance(made.stylized)), alpha=255)
    enlarged_gain, enlarged_content, picture = (
        np.asarray(cv2.resize(small, size, interpolation=how), dtype=np.uint8)
        for small, how in (
            (gain, cv2.INTER_LINEAR),
            (content_small, cv2.INTER_CUBIC),
            (made.stylized, cv2.INTER_CUBIC),
        )
    )
    _add_detail(picture, _luminance(frame), enlarged_content, enlarged_gain)
    return picture


@compiled
def _add_detail(
    picture: NDArray[np.uint8], whole: NDArray[np.uint8], without: NDArray[np.uint8], gain: NDArray[np.uint8]
) -> None:
    """Add the detail, `whole` less `without` (H, W), times `gain` / 255 to every channel of `picture` (H, W, 3)."""
    height, width = whole.shape
    values = picture.reshape(height, -1)
    details, repeated = np.empty(width, dtype=np.int16), np.empty(3 * width, dtype=np.int16)
    # In whole numbers, each brought back to 32 bits, which Numba would else make 64; 257 / 65536 is 1 / 255.
    for row in range(height):
        for x in range(width):
            difference = np.int32(np.int32(whole[row, x]) - np.int32(without[row, x]))
            scaled = np.int32(np.int32(difference * np.int32(gain[row, x])) * np.int32(257))
            details[x] = np.int16(np.int32(scaled + np.int32(1 << 15)) >> np.int32(16))
        repeat_for_channels(details, repeated)
        for x in range(3 * width):
            value = np.int32(values[row, x] + repeated[x])
            values[row, x] = np.uint8(min(max(value, np.int32(0)), np.int32(255)))


def with_colors_of(frame: NDArray[np.uint8], picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the luminance of `picture` with the chrominance of `frame` (Gatys et al. 2016, luminance-only)."""
    luminance = cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb)
    chrominance = cv2.cvtColor(frame, cv2.COLOR_RGB2YCrCb)
    cv2.mixChannels([luminance], [chrominance], [0, 0])
    return np.asarray(cv2.cvtColor(chrominance, cv2.COLOR_YCrCb2RGB), dtype=np.uint8)


def _luminance(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def _regression_gain(content: NDArray[np.uint8], stylized: NDArray[np.uint8]) -> NDArray[np.float32]:
    x, y = content.astype(np.float32), stylized.astype(np.float32)
    slope, _, _ = local_regression(x, y, window_px=GAIN_WINDOW_PX, flat_variance=FLAT_VARIANCE)
    return np.asarray(np.clip(slope, 0, GAIN_MAX), dtype=np.float32)


def local_regression(
    x: NDArray[np.float32], y: NDArray[np.float32], *, window_px: int, flat_variance: float
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return the slope of `y` on `x` in a window about each pixel (He et al. 2013, eq. 5), and the means of both there.

    Where the variance of `x` is less than `flat_variance`, the slope tends to 0.
    """
    window = (window_px, window_px)
    mean_x, mean_y = cv2.blur(x, window), cv2.blur(y, window)
    covariance = cv2.blur(x * y, window) - mean_x * mean_y
    variance = cv2.blur(x * x, window) - mean_x * mean_x
    slope = np.asarray(covariance / (variance + flat_variance), dtype=np.float32)
    return slope, np.asarray(mean_x, dtype=np.float32), np.asarray(mean_y, dtype=np.float32)
