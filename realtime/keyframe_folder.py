"""A folder of painted key frames: which file belongs to which frame of the video, by name.

`000123.png` is frame 123, counted from 0 in the order in which frames are shown; `00-01-02.500.png` or `62.5.png` is
the frame nearest to that time, which is counted from the first frame: names are rounded, up or down. Where they came
from does not matter.
"""

import argparse
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from .errors import InputError
from .picture import READ_SUFFIXES, over_white, read_picture
from .settings import time_s
from .video_info import VideoInfo, as_stored

# What beside the pictures tells of what they were painted; `stylize-keyframe` writes it.
RECORD_NAME = "series.json"


def find_keyframes(folder: Path, times_s: Sequence[Fraction]) -> dict[int, Path]:
    """Return the picture of every key frame in `folder` by the number of its frame, in order.

    `times_s` are the times of all frames of the video from its first one on.

    Raises:
        InputError: no folder, no key frame in it, a name that tells no frame, a frame that the video does not have, or
            two pictures for one.
    """
    if not folder.is_dir():
        raise InputError(f"--keyframes {folder} is no folder; give one with pictures such as 000123.png (frame 123)")
    found: dict[int, Path] = {}
    try:
        # macOS puts a hidden `._000123.png` beside each file on the disks of other systems.
        shown = (path for path in folder.iterdir() if not path.name.startswith("."))
        paths = sorted(path for path in shown if path.suffix.lower() in READ_SUFFIXES)
    except OSError as error:
        raise InputError(f"cannot read the folder {folder}: {error.strerror}") from error
    for path in paths:
        number = _frame_number(path, times_s)
        if number in found:
            raise InputError(f"{found[number]} and {path} are both for frame {number}; remove one of them")
        found[number] = path
    if not found:
        raise InputError(f"no pictures ({' '.join(sorted(READ_SUFFIXES))}) in the folder of key frames {folder}")
    return dict(sorted(found.items()))


def read_keyframe(path: Path, info: VideoInfo) -> tuple[NDArray[np.uint8], str | None]:
    """Return a key frame at the size of the video's frames as they are stored, (H, W, 3); a note if it had another.

    Raises:
        InputError: as `read_turned`.
    """
    stored = read_turned(path, info)
    height, width = stored.shape[:2]
    if (width, height) == (info.width, info.height):
        return stored, None
    how = cv2.INTER_AREA if width > info.width else cv2.INTER_CUBIC
    scaled = cv2.resize(stored, (info.width, info.height), interpolation=how)
    note = f"{path.name} is {width}x{height} and is scaled to the {info.width}x{info.height} of the video as stored"
    return np.asarray(scaled, dtype=np.uint8), note


def read_turned(path: Path, info: VideoInfo) -> NDArray[np.uint8]:
    """Return a key frame at its own size, turned as the video stores its frames.

    Key frames show what players show: upright, with square pixels or with those of the file.

    Raises:
        InputError: it cannot be read, or has another shape than the video.
    """
    return as_stored(over_white(read_picture(path)), info, name=f"the key frame {path}")


def learned_size_px(info: VideoInfo, keyframes: Iterable[Path], *, size_px: int | None) -> int:
    """Return the short side at which key frames are learned: no more than video or key frames have.

    Raises:
        InputError: a key frame cannot be read.
    """
    # One after the other: hundreds of them would fill the memory.
    sides = [min(read_turned(path, info).shape[:2]) for path in keyframes]
    learned_px: int = min(info.width, info.height, *sides, *([size_px] if size_px else []))
    return learned_px


def _frame_number(path: Path, times_s: Sequence[Fraction]) -> int:
    if path.stem.isdecimal():
        number = int(path.stem)
        if number >= len(times_s):
            raise InputError(f"{path} is for frame {number}, but the video's last frame is {len(times_s) - 1}")
        return number
    try:
        moment_s = time_s(path.stem.replace("-", ":"))
    except argparse.ArgumentTypeError as error:
        raise InputError(f"{path} tells no frame; name key frames by number (000123) or time (00-01-02.500)") from error
    last_duration_s = times_s[-1] - times_s[-2] if len(times_s) > 1 else 0
    if moment_s > times_s[-1] + last_duration_s:
        raise InputError(
            f"{path} is for {float(moment_s):g} s, but the video's last frame is at {float(times_s[-1]):g} s"
        )
    return min(range(len(times_s)), key=lambda number: abs(times_s[number] - moment_s))
