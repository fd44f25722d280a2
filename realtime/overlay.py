"""Draw on pictures: letterbox, lines of text, and the figures of a run. Inputs are never changed."""

import cv2
import numpy as np
from numpy.typing import NDArray

from .live_status import LiveStatus

_FONT = cv2.FONT_HERSHEY_SIMPLEX
# Height of a capital at scale 1, and the share of the picture's height that a line of text takes.
_CAPITAL_PX = 22
_LINE_SHARE = 1 / 26
_LINE_MIN_PX = 12
_SHADE = 0.35
_WHITE = (255, 255, 255)


def letterbox(rgb: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return the picture (H, W, 3) as large as fits into `size` (width, height), in the middle of black."""
    width, height = size
    if rgb.shape[:2] == (height, width):
        return rgb
    factor = min(width / rgb.shape[1], height / rgb.shape[0])
    inner = (max(1, round(rgb.shape[1] * factor)), max(1, round(rgb.shape[0] * factor)))
    canvas = np.zeros((height, width, 3), dtype=np.uint8)
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    canvas[top : top + inner[1], left : left + inner[0]] = cv2.resize(rgb, inner, interpolation=method)
    return canvas


def with_lines(rgb: NDArray[np.uint8], lines: list[str], *, at_bottom: bool = False) -> NDArray[np.uint8]:
    """Return the picture with lines of text on a darkened bar at its top or bottom; long ones are made smaller."""
    height, width = rgb.shape[:2]
    line_px = max(_LINE_MIN_PX, round(height * _LINE_SHARE))
    bar_px = min(height, line_px * len(lines) + line_px // 2)
    first_px = height - bar_px if at_bottom else 0
    picture = rgb.copy()
    bar = picture[first_px : first_px + bar_px]
    bar[:] = cv2.convertScaleAbs(bar, alpha=_SHADE)
    for number, line in enumerate(map(_plain, lines)):
        scale = 0.6 * line_px / _CAPITAL_PX
        text_width = cv2.getTextSize(line, _FONT, scale, 1)[0][0]
        scale *= min(1.0, (width - line_px) / max(1, text_width))
        place = (line_px // 2, first_px + line_px * (number + 1))
        cv2.putText(picture, line, place, _FONT, scale, _WHITE, 1, cv2.LINE_AA)
    return picture


def status_lines(status: LiveStatus, sink: str) -> list[str]:
    """Return the figures of a run for the overlay of the consumer `sink`."""
    figures = next((item for item in status.sinks if item.name == sink), None)
    latency = figures.latency if figures is not None else status.latency
    p95 = f"{latency.p95_ms:.0f} ms" if latency.p95_ms is not None else "-"
    late = figures.dropped if figures is not None else 0
    size = "x".join(map(str, status.inference_size or ())) or "-"
    lines = [
        f"{status.fps:.1f} fps   latency p95 {p95}   dropped {status.dropped + late}",
        f"{status.style}{' (loading another)' if status.is_loading else ''}   {size}"
        f" {'auto' if status.is_governed else 'fixed'}",
        status.engine,
        f"{status.source}   {status.source_fps:.1f} fps",
    ]
    if status.recording_s is not None:
        lines.append(f"REC {int(status.recording_s) // 60}:{int(status.recording_s) % 60:02d}")
    return lines


def _plain(text: str) -> str:
    """Return the text in letters that OpenCV's font has; it shows others as question marks."""
    return text.encode("ascii", "replace").decode()
