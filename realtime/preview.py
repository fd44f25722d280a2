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

from .errors import InputError
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


@dataclass(frozen=True, slots=True)
class PreviewFrame:
    """A frame (H, W, 3) as the network gets it; `info` of the video that it is of, None for a still picture."""

    rgb: NDArray[np.uint8]
    info: VideoInfo | None


def preview_frames(
    path: Path, count: int, *, start_s: Fraction | None = None, end_s: Fraction | None = None
) -> list[PreviewFrame]:
    """Return `count` frames from the middles of as many equal parts of a video, or the one of a picture.

    There are fewer where the file is shorter than it says, or does not say how long it is.

    Raises:
        InputError: the file cannot be read, or has no frame in the range.
    """
    if path.suffix.lower() in STILL_SUFFIXES:
        return [PreviewFrame(over_white(read_picture(path)), None)]
    with VideoFileSource(path, start_s=start_s, end_s=end_s) as source:
        first = PreviewFrame(next(iter(source)).rgb, source.info)
        duration_s = (source.expected_frames() or 0) / source.info.frame_rate
    frames = []
    for number in range(count):
        begin_s = (start_s or Fraction(0)) + duration_s * (2 * number + 1) / (2 * count)
        try:
            with VideoFileSource(path, start_s=begin_s, end_s=end_s) as source:
                frames.append(PreviewFrame(next(iter(source)).rgb, source.info))
        except InputError:
            break
        if not duration_s:
            break
    return frames or [first]


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
