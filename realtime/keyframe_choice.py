"""Choose which frames of a video are to be painted as key frames: some of every scene, spread in time, and sharp.

One key frame stands for a stretch of its scene; it is the sharpest frame of the middle half of the stretch, so that
nothing is far from one and neither motion blur nor the frames of a fade are painted.
"""

from collections.abc import Callable, Mapping, Sequence
from heapq import heapify, heapreplace
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from .errors import UsageError
from .temporal_metric import sharpness
from .video_source import VideoFileSource

# Sharpness is compared at this short side: enough to tell blur from detail, at a tenth of the time of 1920x1080.
SHORT_SIDE_PX = 360


def choose_keyframes(
    path: Path, count: int, *, scenes: Sequence[range], check_stop: Callable[[], None] = lambda: None
) -> list[int]:
    """Return the numbers of `count` frames of `scenes`, ascending; they are ascending ranges of frame numbers.

    Every scene gets one, the longest first, before any gets a second; further ones go where the stretches are longest.
    `check_stop` is called for every frame, and what it raises ends the choice.

    Raises:
        InputError: the video cannot be read.
        UsageError: the scenes have fewer frames than `count`.
    """
    frames = sum(map(len, scenes))
    if frames < count:
        raise UsageError(f"{path} has {frames} frames to paint, fewer than the {count} key frames that are asked for")
    sharpnesses = {}
    with VideoFileSource(path) as source:
        for frame in islice(source, scenes[0].start, scenes[-1].stop):
            check_stop()
            sharpnesses[frame.index] = sharpness(_small(frame.rgb).astype(np.float32) / np.float32(255))
    chosen: list[int] = []
    for scene, share in zip(scenes, _shares([len(scene) for scene in scenes], count), strict=True):
        chosen += _sharpest(scene, sharpnesses, share)
    return chosen


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


def _sharpest(scene: range, sharpnesses: Mapping[int, float], share: int) -> list[int]:
    """Return the sharpest frame in the middle half of each of `share` stretches of equal length."""
    length = len(scene)
    chosen = []
    for stretch in range(share):
        begin, end = length * stretch / share, length * (stretch + 1) / share
        quarter = (end - begin) / 4
        first, after = int(begin + quarter + 0.5), int(end - quarter + 0.5)
        chosen.append(max(scene[first : max(first + 1, after)], key=sharpnesses.__getitem__))
    return chosen
