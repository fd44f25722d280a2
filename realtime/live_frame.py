"""What a live run hands to its consumers: finished frames, each consumer with a slot of its own for the newest."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .meters import Latency, LatencyMeter, RateMeter


@dataclass(frozen=True, slots=True)
class LiveFrame:
    """A finished frame. `input` and `output` are uint8 RGB that nobody writes to.

    `input` is (H, W, 3), mirrored if the output is; `output` has the same size, or with the split `side` twice the
    width. `captured_s` is in seconds of the session's clock, `index` counts from 0. `is_message` marks one that
    came while no picture did: the last output again in both, for the camera's own picture is private. What is wrong is
    told by the status of the run, and is no part of what goes on air.
    """

    input: NDArray[np.uint8]
    output: NDArray[np.uint8]
    captured_s: float
    index: int
    is_message: bool = False


class Subscription:
    """The slot of one consumer: it holds the newest `depth` frames, and what does not fit is dropped and counted."""

    def __init__(self, name: str, *, depth: int = 1, clock: Callable[[], float] = time.perf_counter) -> None:
        self.name = name
        self.dropped = 0
        self._clock = clock
        self._waiting: deque[LiveFrame] = deque()
        self._depth = depth
        self._changed = threading.Condition()
        self._closed = False
        self._latency = LatencyMeter()
        self._rate = RateMeter(clock)

    def wait(self, timeout_s: float) -> LiveFrame | None:
        """Return the next frame that has not been returned yet, None if none came in time or the run has ended."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed, timeout_s)
            return self._waiting.popleft() if self._waiting else None

    def shown(self, frame: LiveFrame) -> None:
        """Say that `frame` has reached its end (a screen, a socket): latency and rate are counted here."""
        if not frame.is_message:
            self._latency.add(self._clock() - frame.captured_s)
            self._rate.tick()

    @property
    def is_closed(self) -> bool:
        """Tell whether no further frame will come."""
        return self._closed

    @property
    def latency(self) -> Latency:
        """From capture to `shown`, over the last seconds."""
        return self._latency.percentiles()

    @property
    def fps(self) -> float:
        return self._rate.per_second()

    def put(self, frame: LiveFrame) -> None:
        """Hand a frame over; called by the run, never waits."""
        with self._changed:
            if self._closed:
                return
            if len(self._waiting) == self._depth:
                self._waiting.popleft()
                self.dropped += 1
            self._waiting.append(frame)
            self._changed.notify_all()

    def close(self) -> None:
        """Take no further frame and wake who waits; those that wait in the slot can still be had."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
