"""Look through a whole video before it is worked on: when frames are shown, where scenes begin, if the camera moves."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from .scene_cut import SceneCutDetector
from .small_grey import FLOW_SHORT_SIDE_MIN_PX, SmallFlow
from .static_camera import CameraVotes
from .video_source import VideoFileSource

# Cuts are looked for in pictures of this width.
_WIDTH_PX = 320
# Every so many frames it is asked whether the camera stands still.
_STATIC_STEP = 3


@dataclass(frozen=True, slots=True)
class ClipSurvey:
    """The times of all frames from the first one on; where that is in the file's own time; the first frame of scenes.

    `scenes` begins with 0; `static_scenes` are those from a camera that stands still.
    """

    times_s: tuple[Fraction, ...]
    first_s: Fraction
    scenes: tuple[int, ...]
    static_scenes: frozenset[int] = frozenset()

    def number_at(self, time_in_file_s: Fraction) -> int:
        """Return the number of the first frame that is not before a time of the file."""
        since_first_s = time_in_file_s - self.first_s
        return sum(time_s < since_first_s for time_s in self.times_s)

    def range_of(self, source: VideoFileSource) -> range:
        """Return the numbers of the frames of `source`, which reads the same file from --start to --end."""
        end = len(self.times_s) if source.end_s is None else self.number_at(source.end_s)
        return range(self.number_at(source.first_s), end)

    def scenes_in(self, numbers: range) -> list[range]:
        """Return the numbers of each scene that is in `numbers`, as far as it is."""
        parts = (range(max(first, numbers.start), min(end, numbers.stop)) for first, end in self._scene_ends())
        return [part for part in parts if part]

    def scene_of(self, number: int) -> tuple[int, int]:
        """Return the first frame of the scene of frame `number`, and the one after its last."""
        return next((first, end) for first, end in self._scene_ends() if number < end)

    def _scene_ends(self) -> Iterator[tuple[int, int]]:
        return pairwise((*self.scenes, len(self.times_s)))


def survey_clip(path: Path, *, check_stop: Callable[[], None] = lambda: None, finds_static: bool = False) -> ClipSurvey:
    """Decode a video once; `check_stop` is called for every frame, and what it raises ends the survey.

    Only with `finds_static`, which takes optical flow, scenes are said to be from a camera that stands still.

    Raises:
        InputError: the video cannot be read.
    """
    times_s: list[Fraction] = []
    votes = {0: CameraVotes()}
    detector, flow = SceneCutDetector(), SmallFlow()
    last: NDArray[np.uint8] | None = None
    with VideoFileSource(path) as source:
        for frame in source:
            check_stop()
            times_s.append(frame.pts_s)
            grey = grey_of(frame.rgb)
            if detector.is_cut(grey):
                votes[frame.index] = CameraVotes()
            elif (
                finds_static
                and last is not None
                and frame.index % _STATIC_STEP == 0
                and min(grey.shape) >= FLOW_SHORT_SIDE_MIN_PX
            ):
                votes[max(votes)].add(grey, flow.back(grey, last))
            last = grey
        return ClipSurvey(
            tuple(time_s - times_s[0] for time_s in times_s),
            source.first_s,
            tuple(votes),
            frozenset(first for first, of_scene in votes.items() if of_scene.is_static),
        )


def grey_of(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the small grey picture by which the cuts of a clip are found: from another one, others may be."""
    height, width = rgb.shape[:2]
    size = (min(width, _WIDTH_PX), max(1, round(height * min(1, _WIDTH_PX / width))))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
