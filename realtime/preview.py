"""How a video or a picture will look: some of its frames in several styles, on one sheet.

Frames are painted as a job does, but each for itself: nothing is smoothed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from .errors import InputError, UsageError
from .finish import finish
from .media import STILL_SUFFIXES
from .overlay import letterbox, with_lines
from .picture import over_white, read_picture
from .settings import Controls
from .stylizer import Stylizer
from .video_info import VideoInfo
from .video_source import VideoFileSource
from .video_still import as_shown

# A shown frame is at most so wide and high.
CELL_SIDE_MAX_PX = 640
# A file that is shorter than it says is tried so often, each time up to the first moment that it did not have.
_ATTEMPTS_MAX = 20
_ALMOST = Fraction(99, 100)


@dataclass(frozen=True, slots=True)
class PreviewFrame:
    """A frame (H, W, 3) as the network gets it, and its time in the file; `info` is None for a still picture."""

    rgb: NDArray[np.uint8]
    info: VideoInfo | None
    time_s: Fraction = Fraction(0)


def preview_frames(
    path: Path, count: int, *, start_s: Fraction | None, end_s: Fraction | None, notes: list[str]
) -> list[PreviewFrame]:
    """Return the frames on screen at the middles of `count` equal parts of a video, each once, or the one of a picture.

    What the user should know is added to `notes`.

    Raises:
        InputError: the file cannot be read, or has no frame in the range.
        UsageError: a range of a picture.
    """
    if path.suffix.lower() in STILL_SUFFIXES:
        if start_s is not None or end_s is not None:
            raise UsageError(f"--start and --end are for videos, and {path} is a picture")
        picture = read_picture(path)
        notes += picture.notes
        return [PreviewFrame(over_white(picture), None)]
    with VideoFileSource(path, start_s=start_s, end_s=end_s) as source:
        first, frame_s = _next_frame(source), 1 / source.info.frame_rate
        duration_s = (source.expected_frames() or 0) * frame_s
        notes += source.notes
    if not duration_s:
        notes.append("the file does not tell how long it is: its first frame is shown")
        return [first]
    for attempt in range(_ATTEMPTS_MAX):
        middles_s = [duration_s * (2 * number + 1) / (2 * count) for number in range(count)]
        found: dict[Fraction, PreviewFrame] = {}
        for middle_s in middles_s:
            # A source begins with the first frame at or after a time; wanted is that on screen, which began before.
            begin_s = max(middle_s - _ALMOST * frame_s, Fraction(0))
            try:
                with VideoFileSource(path, start_s=(start_s or 0) + begin_s, end_s=end_s) as source:
                    frame = _next_frame(source)
            except InputError:
                duration_s = middle_s
                break
            found[frame.time_s] = frame
        else:
            return list(found.values())
        if attempt == 0:
            notes.append("the file is shorter than it says")
    return [first]


def _next_frame(source: VideoFileSource) -> PreviewFrame:
    frame = next(iter(source), None)
    if frame is None:
        raise InputError(f"no frame of {source.path} could be decoded")
    return PreviewFrame(frame.rgb, source.info, source.first_s)


def preview_row(
    frames: Sequence[PreviewFrame], label: str, stylizer: Stylizer | None = None, controls: Controls | None = None
) -> NDArray[np.uint8]:
    """Return the frames side by side under a label, painted if there is a stylizer: (h, w, 3).

    All have the size of the first: some recordings change theirs in mid-stream.
    """
    controls = controls or Controls()
    cells = []
    for frame in frames:
        picture = frame.rgb
        if stylizer is not None:
            made = stylizer.stylize(picture, strength=controls.strength)
            picture = finish(picture, made, controls)
        cells.append(_small(picture if frame.info is None else np.asarray(as_shown(picture, frame.info))))
    height, width = cells[0].shape[:2]
    return with_lines(np.hstack([letterbox(cell, (width, height)) for cell in cells]), [label])


def _small(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = rgb.shape[:2]
    factor = CELL_SIDE_MAX_PX / max(width, height)
    if factor >= 1:
        return rgb
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
