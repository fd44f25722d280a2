"""Stand-ins for the engine, source, smoother and sink that tests can look into."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime.frame import Frame
from realtime.input_motion import Look
from realtime.job_report import JobReport

Picture = NDArray[np.uint8]


def job_report(**changes: Any) -> JobReport:
    """Return the report of a plain job of 50 frames, but for `changes`."""
    plain = JobReport(
        input="in.mp4",
        output="out.mp4",
        style="great-wave",
        style_pictures=(),
        engine="a fake engine",
        encoder="libx264",
        frames=50,
        frames_before=0,
        duration_s=2.0,
        load_s=0.1,
        run_s=4.0,
        cores_used=1.5,
        peak_memory_mb=123.4,
        stage_ms={"decode": 1.0},
        frames_reused=0,
        corrupt_packets=0,
        repaired_timestamps=0,
        cuts=(),
        coherence=None,
        options={},
        versions={},
        notes=(),
    )
    return replace(plain, **changes)


class FakeEngine:
    """Applies `work` to every picture, notes the sizes and the further inputs that it was given."""

    def __init__(self, work: Callable[[Picture], Picture] = np.copy, *, workers: int = 1) -> None:
        self.description = "a fake engine"
        self.device = "cpu"
        self.workers = workers
        self.shapes: list[tuple[int, ...]] = []
        self.extras: list[Mapping[str, NDArray[np.float32]] | None] = []
        self._work = work

    def infer(self, rgb: Picture, extra: Mapping[str, NDArray[np.float32]] | None = None) -> Picture:
        self.shapes.append(rgb.shape)
        self.extras.append(extra)
        return self._work(rgb)

    def close(self) -> None:
        pass


class FakeSource:
    """Yields `count` frames whose pixels are their index, or that of the first of `alike` frames that look the same.

    Raises `error` instead of frame `fails_at`.
    """

    def __init__(
        self, count: int, *, alike: int = 1, fails_at: int | None = None, error: BaseException | None = None
    ) -> None:
        self._count = count
        self._alike = alike
        self._fails_at = fails_at
        self._error = error
        self.taken = 0

    def __iter__(self) -> Iterator[Frame]:
        for index in range(self._count):
            if index == self._fails_at and self._error is not None:
                raise self._error
            self.taken += 1
            level = (index - index % self._alike) % 256
            yield Frame(np.full((16, 16, 3), level, np.uint8), Fraction(index, 25), Fraction(1, 25), index)

    def close(self) -> None:
        pass


class FakeSmoother:
    """Gives back what was made, after `delay_s`; raises `error` at picture `fails_at`."""

    def __init__(
        self, *, delay_s: float = 0.0, fails_at: int | None = None, error: BaseException | None = None
    ) -> None:
        self._delay_s = delay_s
        self._fails_at = fails_at
        self._error = error
        self.smoothings: list[float] = []

    def smooth(self, look: Look, stylized: Picture, *, smoothing: float) -> Picture:
        if len(self.smoothings) == self._fails_at and self._error is not None:
            raise self._error
        time.sleep(self._delay_s)
        self.smoothings.append(smoothing)
        return stylized

    def reset(self) -> None:
        pass


class FakeSink:
    """Keeps the frames, after `delay_s` each; raises `error` at frame `fails_at`."""

    def __init__(
        self,
        *,
        delay_s: float = 0.0,
        fails_at: int | None = None,
        error: BaseException | None = None,
        on_write: Callable[[int], None] = lambda written: None,
    ) -> None:
        self._delay_s = delay_s
        self._fails_at = fails_at
        self._error = error
        self._on_write = on_write
        self.frames: list[Frame] = []
        self.threads: set[str] = set()

    def write(self, frame: Frame) -> None:
        self.threads.add(threading.current_thread().name)
        if len(self.frames) == self._fails_at and self._error is not None:
            raise self._error
        self._on_write(len(self.frames))
        time.sleep(self._delay_s)
        self.frames.append(frame)

    def finish(self) -> None:
        pass

    def close(self) -> None:
        pass
