"""Read a video and key frames of it as the footage of a few-shot training."""

from collections.abc import Callable
from fractions import Fraction
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from realtime.clip_survey import survey_clip
from realtime.errors import InputError, UsageError
from realtime.keyframe_folder import find_keyframes, learned_size_px, read_turned
from realtime.motion import MotionEstimator, valid_mask
from realtime.settings import SIZE_MIN_PX
from realtime.video_info import VideoInfo
from realtime.video_source import VideoFileSource
from training.footage import Footage, Moment, Picture, StylizedFrame

# Moments are held in memory, with their flow 14 bytes a pixel: 0.5 GB at 960x540.
MOMENTS_MAX = 64


def read_footage(
    video: Path,
    keyframes: Path,
    *,
    size_px: int | None,
    start_s: Fraction | None = None,
    end_s: Fraction | None = None,
    check_stop: Callable[[], None] = lambda: None,
) -> Footage:
    """Return the key frames of a folder with their frames, and up to `MOMENTS_MAX` moments spread over the video.

    Moments are of the part from `start_s` to `end_s`, key frames of the whole video. `check_stop` is called again and
    again, and what it raises ends the reading.

    The short side is that of the video or of the smallest key frame, whichever is smaller, and at most `size_px` if
    given. All are as the network will see them, with the pixel aspect and orientation of the coded frames.

    Raises:
        InputError: the video or a key frame cannot be read, the key frames do not fit the video, or no two frames go
            together.
        UsageError: the frames would be too small.
    """
    survey = survey_clip(video, check_stop=check_stop)
    placed = find_keyframes(keyframes, survey.times_s)
    with VideoFileSource(video, start_s=start_s, end_s=end_s) as source:
        info, numbers = source.info, survey.range_of(source)
    scaled = _scaler(info, learned_size_px(info, placed.values(), size_px=size_px))
    last = max(numbers.start, numbers.stop - 2)
    earlier_numbers = set(np.linspace(numbers.start, last, MOMENTS_MAX).round().astype(int).tolist())
    stylized, moments = [], []
    with VideoFileSource(video) as source:
        motion = MotionEstimator()
        earlier: Picture | None = None
        for frame in islice(source, max(numbers.stop, *(number + 1 for number in placed))):
            later = scaled(frame.rgb)
            if frame.index in placed:
                stylized.append(StylizedFrame(frame.index, later, scaled(read_turned(placed[frame.index], info))))
            if earlier is not None and frame.index - 1 in earlier_numbers and frame.index not in survey.scenes:
                moments.append(_moment(motion, frame.index - 1, earlier, later))
            earlier = later
    if not moments:
        raise InputError(f"no two frames of {video} go together; a few-shot training learns motion from such pairs")
    return Footage(stylized, moments)


def _scaler(info: VideoInfo, short_side_px: int) -> Callable[[Picture], Picture]:
    """Return what scales frames, and the key frames with them."""
    if short_side_px < SIZE_MIN_PX:
        raise UsageError(f"the frames would have a short side of {short_side_px} px; at least {SIZE_MIN_PX} are needed")
    scale = short_side_px / min(info.width, info.height)
    width, height = round(info.width * scale), round(info.height * scale)

    def scaled(picture: Picture) -> Picture:
        if picture.shape[:2] == (height, width):
            return picture
        method = cv2.INTER_AREA if picture.shape[0] >= height else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(picture, (width, height), interpolation=method), dtype=np.uint8)

    return scaled


def _moment(motion: MotionEstimator, number: int, earlier: Picture, later: Picture) -> Moment:
    grey, other = _grey(earlier), _grey(later)
    flow = motion.estimate(grey, other)
    return Moment(number, earlier, later, flow, valid_mask(flow, motion.estimate(other, grey)))


def _grey(picture: Picture) -> Picture:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
