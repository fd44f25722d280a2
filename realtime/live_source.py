"""Where live pictures come from: the protocol of every live source, and the source that is pushed to.

A live source never ends its run because of a fault that may pass: it says in `state` what is wrong and tries again.
"""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

# Waiting is cut into steps of this length, after each of which `stop` is looked at.
_STEP_S = 0.1


# Returns a picture, (H, W, 3) uint8 RGB, which nobody writes to; raises InputError if it is damaged.
Conversion = Callable[[], NDArray[np.uint8]]


@dataclass(frozen=True, slots=True)
class CapturedFrame:
    """A picture as it came, and when, in seconds of the run's clock.

    `to_rgb` is called at most once, by any thread: what comes too fast is thrown away before it has cost a conversion.
    """

    to_rgb: Conversion
    captured_s: float

    @classmethod
    def of(cls, rgb: NDArray[np.uint8], captured_s: float) -> "CapturedFrame":
        """Return a frame of a picture that needs no conversion."""
        return cls(lambda: rgb, captured_s)


@dataclass(frozen=True, slots=True)
class SourceState:
    """How a source is doing. `fault` is one line for people, empty while pictures come as they should."""

    label: str
    fault: str = ""


class LiveSource(Protocol):
    """Yields pictures as time goes by. `tests/contract/test_live_source.py` holds every live source to this.

    `state` is replaced as a whole by the thread that iterates; any thread may read it. `dropped` counts pictures that
    the source itself has left out because they came too late.
    """

    state: SourceState
    dropped: int

    def frames(self, stop: threading.Event) -> Iterator[CapturedFrame]:
        """Yield each picture when it is due, until `stop` is set or the source ends for good.

        Waits in steps, so that it ends soon after `stop`. Raises InputError only for what cannot get better by waiting.
        """
        ...

    def close(self) -> None:
        """Release the source; may be called twice, after iteration has ended."""
        ...


class PushSource:
    """A source that other code pushes pictures into, such as a WebRTC track; only the newest waits."""

    def __init__(self, label: str = "browser camera", *, silence_s: float = 2.0) -> None:
        self.dropped = 0
        self.state = SourceState(label, f"waiting for the {label}")
        self._label = label
        self._silence_s = silence_s
        self._changed = threading.Condition()
        self._newest: CapturedFrame | None = None
        self._ended = False

    def push(self, to_rgb: Conversion, captured_s: float) -> None:
        """Hand a picture over; any thread, never waits.

        `captured_s` is in seconds of the session's clock (`time.perf_counter` by default).
        """
        with self._changed:
            self.dropped += self._newest is not None
            self._newest = CapturedFrame(to_rgb, captured_s)
            self._changed.notify_all()

    def frames(self, stop: threading.Event) -> Iterator[CapturedFrame]:
        silent_s = 0.0
        while not stop.is_set():
            with self._changed:
                self._changed.wait_for(lambda: self._newest is not None or self._ended, _STEP_S)
                frame, self._newest = self._newest, None
                if frame is None and self._ended:
                    return
            if frame is not None:
                silent_s, self.state = 0.0, SourceState(self._label)
                yield frame
                continue
            silent_s += _STEP_S
            if silent_s >= self._silence_s:
                self.state = SourceState(self._label, f"no picture comes from the {self._label}")

    def close(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()
