"""One frame of a video as a still picture: upright, with square pixels, in the colours of the player."""

from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .errors import UsageError
from .video_info import VideoInfo, upright
from .video_source import VideoFileSource

# Pixels that are longer are none of a camera's or disc's: the header is damaged, and its picture might fill the memory.
ASPECT_MAX = 8


def read_still(path: Path, *, at_s: Fraction | None = None, number: int = 0) -> Image.Image:
    """Return the first frame at or after `at_s`, or the one of that `number`, counted from 0.

    Raises:
        InputError: the video cannot be read or has no frame there.
        UsageError: the video has fewer frames than `number` asks for.
    """
    with VideoFileSource(path, start_s=at_s) as source:
        frame = next(islice(source, number, None), None)
        if frame is None:
            raise UsageError(f"{path} has no frame {number}; frames count from 0")
        return as_shown(frame.rgb, source.info)


def as_shown(rgb: NDArray[np.uint8], info: VideoInfo) -> Image.Image:
    """Return the picture as players show it: stretched to square pixels, then turned and mirrored."""
    picture = Image.fromarray(rgb)
    aspect = info.sample_aspect_ratio
    if aspect and aspect != 1 and 1 / ASPECT_MAX <= aspect <= ASPECT_MAX:
        picture = picture.resize((round(picture.width * aspect), picture.height), Image.Resampling.LANCZOS)
    return Image.fromarray(upright(np.asarray(picture), info))
