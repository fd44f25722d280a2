"""Timecodes of SMPTE ST 12, hours to frames: what one is some frames later."""

import re
from fractions import Fraction

_PARTS = re.compile(r"(\d\d):([0-5]\d):([0-5]\d)([:;.])(\d\d)")
_DROP_FRAME_SIGNS = ";."
_MINUTES_PER_DAY = 24 * 60


def timecode_after(timecode: str, frames: int, *, rate: Fraction) -> str | None:
    """Return the timecode `frames` later at `rate` frames a second, None where it is none.

    A semicolon or a point before the frames stands for drop-frame: two numbers in thirty are left out at the beginning
    of each minute but the tenth.
    """
    match = _PARTS.fullmatch(timecode)
    frames_per_s = round(rate)
    if match is None or not frames_per_s:
        return None
    hours, minutes, seconds, frame = (int(match[group]) for group in (1, 2, 3, 5))
    dropped = 2 * round(frames_per_s / 30) if match[4] in _DROP_FRAME_SIGNS else 0
    minutes += 60 * hours
    number = (60 * minutes + seconds) * frames_per_s + frame - dropped * (minutes - minutes // 10) + frames
    frames_per_ten_minutes = 600 * frames_per_s - 9 * dropped
    number %= _MINUTES_PER_DAY // 10 * frames_per_ten_minutes
    tens, rest = divmod(number, frames_per_ten_minutes)
    # The first minute of ten drops nothing.
    past_first = max(0, rest - 60 * frames_per_s)
    minutes_after = -(-(past_first + 1) // (60 * frames_per_s - dropped)) if rest >= 60 * frames_per_s else 0
    number += dropped * (9 * tens + minutes_after)
    seconds, frame = divmod(number, frames_per_s)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{match[4]}{frame:02}"
