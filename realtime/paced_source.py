"""A video file as a live source: every frame when it is due by the file's clock, late ones left out."""

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from .live_source import CapturedFrame, SourceState
from .video_info import upright
from .video_source import VideoFileSource

# Later than this a frame is left out, as a camera would have.
LATE_S = 0.05
# Then time goes on from here: a file that is too heavy to decode in time plays slowly instead of showing nothing.
GIVE_UP_S = 0.5
# Pixels of a greater aspect, or of less than its inverse, are a fault of the file and taken for square ones.
ASPECT_MAX = 4


class PacedFileSource:
    """The frames of a video file in real time, upright and with square pixels; with `loop` again and again.

    Raises:
        InputError: the file cannot be read.
    """

    def __init__(self, path: Path, *, loop: bool = False, clock: Callable[[], float] = time.perf_counter) -> None:
        self.dropped = 0
        self._path = path
        self._loop = loop
        self._clock = clock
        with VideoFileSource(path) as source:
            info = source.info
        self.state = SourceState(f"{path.name} ({info.width}x{info.height} at {float(info.frame_rate):.4g} fps)")

    def frames(self, stop: threading.Event) -> Iterator[CapturedFrame]:
        yield from self._play(stop)
        while self._loop and not stop.is_set():
            yield from self._play(stop)

    def close(self) -> None:
        """Nothing is open outside `frames`."""

    def _play(self, stop: threading.Event) -> Iterator[CapturedFrame]:
        started_s: float | None = None
        with VideoFileSource(self._path) as source:
            end_s = 0.0
            for picture, picture_pts_s, duration_s in source.pictures():
                pts_s, now_s = float(picture_pts_s), self._clock()
                end_s = pts_s + float(duration_s)
                if started_s is None:
                    started_s = now_s - pts_s
                wait_s = started_s + pts_s - now_s
                if stop.wait(max(0.0, wait_s)):
                    return
                if wait_s < -GIVE_UP_S:
                    started_s = now_s - pts_s
                elif wait_s < -LATE_S:
                    self.dropped += 1
                    continue
                yield CapturedFrame(partial(_upright_rgb, source, picture), self._clock())
            if started_s is not None:
                stop.wait(max(0.0, started_s + end_s - self._clock()))


def _upright_rgb(source: VideoFileSource, picture: av.VideoFrame) -> NDArray[np.uint8]:
    rgb, aspect = source.to_rgb(picture), source.info.sample_aspect_ratio
    if aspect and aspect != 1 and 1 / ASPECT_MAX <= aspect <= ASPECT_MAX:
        size = (max(1, round(rgb.shape[1] * aspect)), rgb.shape[0])
        rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
    return upright(rgb, source.info)
