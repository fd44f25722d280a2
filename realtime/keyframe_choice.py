"""Choose the frames of a video that are to be painted as key frames: some of every scene, spread in time, and sharp.

One key frame stands for a stretch of its scene; it is the sharpest frame of the middle half of the stretch, so that
nothing is far from one and neither motion blur nor the frames of a fade are painted.
"""

from dataclasses import dataclass, field
from heapq import heapify, heapreplace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from .clip_survey import grey_of
from .errors import UsageError
from .scene_cut import SceneCutDetector
from .temporal_metric import sharpness
from .video_source import VideoFileSource

# Sharpness is compared at this short side: enough to tell blur from detail, at a tenth of the time of 1920x1080.
SHORT_SIDE_PX = 360


@dataclass(slots=True)
class _Scene:
    """The numbers of its frames are `first`, `first` + 1, ..."""

    first: int
    sharpnesses: list[float] = field(default_factory=list)


def choose_keyframes(path: Path, count: int) -> list[int]:
    """Return the numbers of up to `count` frames, ascending, counted from 0 in decoding order.

    Every scene gets one, the longest first, before any gets a second; further ones go where the stretches are longest.

    Raises:
        InputError: the video cannot be read.
        UsageError: it has fewer frames than `count`.
    """
    scenes = _measure(path)
    frames = sum(len(scene.sharpnesses) for scene in scenes)
    if frames < count:
        raise UsageError(f"{path} has {frames} frames, fewer than the {count} key frames that are asked for")
    chosen: list[int] = []
    for scene, share in zip(scenes, _shares([len(scene.sharpnesses) for scene in scenes], count), strict=True):
        chosen += _sharpest(scene, share)
    return chosen


def _measure(path: Path) -> list[_Scene]:
    scenes = [_Scene(0)]
    detector = SceneCutDetector()
    with VideoFileSource(path) as source:
        for frame in source:
            if detector.is_cut(grey_of(frame.rgb)):
                scenes.append(_Scene(frame.index))
            scenes[-1].sharpnesses.append(sharpness(_small(frame.rgb).astype(np.float32) / np.float32(255)))
    return scenes


def _small(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    scale = SHORT_SIDE_PX / min(rgb.shape[:2])
    if scale >= 1:
        return rgb
    return np.asarray(cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _shares(lengths: list[int], count: int) -> list[int]:
    """Return how many key frames scenes of `lengths` frames get of `count`; none gets more than it has frames."""
    shares = [0] * len(lengths)
    # Next comes a scene without any, then that whose stretches will be the longest.
    queue = [(False, -float(length), number) for number, length in enumerate(lengths)]
    heapify(queue)
    for _ in range(count):
        number = queue[0][2]
        shares[number] += 1
        heapreplace(queue, (True, -lengths[number] / (shares[number] + 1), number))
    return shares


def _sharpest(scene: _Scene, share: int) -> list[int]:
    """Return the sharpest frame in the middle half of each of `share` stretches of equal length."""
    length = len(scene.sharpnesses)
    chosen = []
    for stretch in range(share):
        begin, end = length * stretch / share, length * (stretch + 1) / share
        quarter = (end - begin) / 4
        first, after = int(begin + quarter + 0.5), int(end - quarter + 0.5)
        chosen.append(scene.first + max(range(first, max(first + 1, after)), key=scene.sharpnesses.__getitem__))
    return chosen
