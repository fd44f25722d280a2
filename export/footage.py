"""Read a video and key frames of it as the footage of a few-shot training."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from realtime.errors import InputError, UsageError
from realtime.keyframe_folder import find_keyframes, read_turned
from realtime.motion import MotionEstimator, valid_mask
from realtime.scene_cut import SceneCutDetector
from realtime.settings import SIZE_MIN_PX
from realtime.video_info import VideoInfo
from realtime.video_source import VideoFileSource
from training.footage import Footage, Moment, Picture, StylizedFrame

# Moments are held in memory, with their flow 14 bytes a pixel: 0.5 GB at 960x540.
MOMENTS_MAX = 64


def read_footage(video: Path, keyframes: Path, *, size_px: int | None) -> Footage:
    """Return the key frames of a folder with their frames, and up to `MOMENTS_MAX` moments spread over the video.

    The short side is that of the video or of the smallest key frame, whichever is smaller, and at most `size_px` if
    given. All are as the network will see them, with the pixel aspect and orientation of the coded frames.

    Raises:
        InputError: the video or a key frame cannot be read, the key frames do not fit the video, or no two frames go
            together.
        UsageError: the frames would be too small.
    """
    with VideoFileSource(video) as source:
        info = source.info
        times_s = [frame.pts_s for frame in source]
    placed = find_keyframes(keyframes, [time_s - times_s[0] for time_s in times_s])
    pictures = {number: read_turned(path, info) for number, path in placed.items()}
    sides = [info.width, info.height, *(side for picture in pictures.values() for side in picture.shape[:2])]
    scaled = _scaler(info, min([*sides, size_px] if size_px else sides))
    earlier_numbers = set(np.linspace(0, max(0, len(times_s) - 2), MOMENTS_MAX).round().astype(int).tolist())
    stylized, moments = [], []
    with VideoFileSource(video) as source:
        motion, cuts = MotionEstimator(), SceneCutDetector()
        earlier: Picture | None = None
        for frame in source:
            later = scaled(frame.rgb)
            if frame.index in pictures:
                stylized.append(StylizedFrame(frame.index, later, scaled(pictures[frame.index])))
            is_cut = cuts.is_cut(_grey(later))
            if earlier is not None and frame.index - 1 in earlier_numbers and not is_cut:
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
