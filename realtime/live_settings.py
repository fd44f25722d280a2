"""The options of a live run: `LiveControls` may change from frame to frame, `LiveSettings` are fixed.

What a live run shares with a file job is declared in `settings.py` and taken from there. No heavy imports: `--help`
reads this module.
"""

import argparse
import re
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from .options import option
from .settings import SIZE_MAX_PX, SIZE_MIN_PX, Controls, Settings, path_argument, time_s

CAPTURE_SIDE_MIN_PX, CAPTURE_SIDE_MAX_PX = 16, 7680
RATE_MIN, RATE_MAX = 1, 240
_PAIR_OF_SIDES = re.compile(r"([0-9]{1,5})x([0-9]{1,5})")


def live_size_px(text: str) -> int | None:
    """Parse `auto` (None: the governor chooses) or a short side in pixels."""
    if text == "auto":
        return None
    if not text.isdecimal() or not SIZE_MIN_PX <= int(text) <= SIZE_MAX_PX:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither 'auto' nor a whole number from {SIZE_MIN_PX} to {SIZE_MAX_PX}"
        )
    return int(text)


@dataclass(frozen=True, slots=True)
class PictureSize:
    """A size in pixels, written as `1280x720`."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


def picture_size(text: str) -> PictureSize:
    """Parse `1280x720`."""
    match = _PAIR_OF_SIDES.fullmatch(text)
    size = (int(match[1]), int(match[2])) if match else (0, 0)
    if not all(CAPTURE_SIDE_MIN_PX <= side <= CAPTURE_SIDE_MAX_PX for side in size):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no size such as 1280x720, each side from {CAPTURE_SIDE_MIN_PX} to {CAPTURE_SIDE_MAX_PX}"
        )
    return PictureSize(*size)


def frame_rate(text: str) -> int:
    """Parse whole frames a second."""
    if not text.isdecimal() or not RATE_MIN <= int(text) <= RATE_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {RATE_MIN} to {RATE_MAX}")
    return int(text)


def _same_as_in_a_file_job(name: str) -> Any:
    declared = Settings.__dataclass_fields__[name]
    return field(default=declared.default, metadata=declared.metadata)


@dataclass(frozen=True, slots=True)
class LiveControls(Controls):
    """What may change while a live run goes on; replaced as a whole, see `dataclasses.replace`.

    `size` is the short side in pixels at which the network runs, None lets the governor choose.
    """

    split: str | None = _same_as_in_a_file_job("split")
    mirror: bool = option(False, help="mirror the picture, as people know themselves")
    size: int | None = option(
        None,
        none="auto",
        parse=live_size_px,
        metavar="auto|PX",
        help="short side at which the network runs; auto lowers and raises it to hold --fps",
    )


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """What is fixed for a live run."""

    style: tuple[str, ...] = _same_as_in_a_file_job("style")
    mix: tuple[float, ...] | None = _same_as_in_a_file_job("mix")
    shifts: int = _same_as_in_a_file_job("shifts")
    device: str = _same_as_in_a_file_job("device")
    engine: str = _same_as_in_a_file_job("engine")
    precision: str = _same_as_in_a_file_job("precision")
    fps: int = option(
        30,
        parse=frame_rate,
        metavar="FPS",
        help="frames a second to hold; those beyond are left out before the network",
    )
    capture_size: PictureSize = option(
        PictureSize(1280, 720),
        parse=picture_size,
        metavar="WxH",
        help="size that the camera is asked for; it may give another (browsers: 640x360 at 30)",
    )
    capture_fps: int = option(30, parse=frame_rate, metavar="FPS", help="rate that the camera is asked for")
    loop: bool = option(False, help="begin a video file again when it ends")
    record: Path | None = option(
        None,
        none="nothing",
        parse=path_argument,
        metavar="FILE",
        help="record from the start on, to a new file: .mp4, .mov, .mkv or .webm",
    )
    microphone: str | None = option(
        None, none="none", metavar="auto|NAME", help="record the sound of this microphone, too; auto is the system's"
    )
    vcam: str | None = option(
        None,
        none="none",
        metavar="auto|DEVICE",
        help="also feed a virtual camera, such as /dev/video10 of v4l2loopback",
    )
    vcam_size: PictureSize = option(
        PictureSize(1280, 720),
        parse=picture_size,
        metavar="WxH",
        help="size of the virtual camera; the picture is letterboxed",
    )
    no_window: bool = option(False, help="show no window")
    full_screen: bool = option(False, help="begin with the window over the full screen")
    seconds: Fraction | None = option(None, none="no end", parse=time_s, metavar="TIME", help="stop after this time")
