"""Find the keyframes of a video in a folder, named by the number of their frame or by its time."""

import re
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from realtime.errors import UsageError

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp"})
# 00-01-02.500: hours, minutes and seconds, since file names hold no colons on Windows.
_TIME = re.compile(r"(\d+)-([0-5]?\d)-([0-5]?\d(?:\.\d+)?)")


def place_keyframes(folder: Path, times_s: Sequence[Fraction]) -> dict[int, Path]:
    """Return the keyframe files by the numbers of their frames, in order; `times_s` are those of all frames, from 0.

    A name of digits alone is the number of a frame in the order of presentation, from 0; one like `00-01-02.500` is a
    time from the first frame, and stands for the frame nearest to it: names are rounded, up or down.

    Raises:
        UsageError: there is no such folder, no keyframe in it, or one that is beyond the video or given twice.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder; give one of stylised frames")
    placed: dict[int, Path] = {}
    for path in sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES):
        number = _number(path, times_s)
        if number is None:
            continue
        if number in placed:
            raise UsageError(f"{path} and {placed[number].name} are keyframes of one frame, {number}; keep one of them")
        placed[number] = path
    if not placed:
        raise UsageError(
            f"no keyframes in {folder}: expected stylised frames ({', '.join(sorted(SUFFIXES))}) named by number "
            "(000120.png) or time (00-01-02.500.png)"
        )
    return dict(sorted(placed.items()))


def _number(path: Path, times_s: Sequence[Fraction]) -> int | None:
    """Return the number of the frame that a file names, None for other names."""
    if path.stem.isdecimal():
        number = int(path.stem)
        if number >= len(times_s):
            raise UsageError(f"{path} is of frame {number}, but the last frame of the video is {len(times_s) - 1}")
        return number
    time = _TIME.fullmatch(path.stem)
    if time is None:
        return None
    hours, minutes, seconds = time.groups()
    wanted_s = int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds)
    if wanted_s > times_s[-1] + 1:
        raise UsageError(
            f"{path} is after the end of the video, which has its last frame at {float(times_s[-1]):.3f} s"
        )
    return min(range(len(times_s)), key=lambda number: abs(times_s[number] - wanted_s))
