"""From the threads of a live run to the event loop: each frame is encoded once, by a thread, for all its readers."""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..frame_pace import FramePace
from ..live_frame import LiveFrame
from ..live_session import LiveSession
from .newest import Newest

JPEG_QUALITY = 85
SNAPSHOT_QUALITY = 95
BOUNDARY = "stylecast-frame"
# What a reader may see: the output alone, or the input to the left of it.
VIEWS = ("output", "both")
# FFmpeg takes any multipart stream for one of 25 frames a second, and players that go by its clock would fall behind
# what comes faster.
PLAYER_FPS_MAX = 24.0
_WAIT_S = 0.25


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """A frame as JPEG; the left `input_width_px` columns are the input; `captured_unix_s` counts from 1970."""

    jpeg: bytes
    input_width_px: int
    captured_unix_s: float


class FrameRelay:
    """Hands the newest frame of a session, as it is and as JPEG, to readers on the event loop that it was made on.

    Without readers it takes no frames. `close` ends the thread and every reader.
    """

    def __init__(self, session: LiveSession) -> None:
        self.frames: Newest[LiveFrame] = Newest()
        self._encoded: dict[str, Newest[EncodedFrame]] = {view: Newest() for view in VIEWS}
        self._readers = dict.fromkeys(("frames", *VIEWS), 0)
        self._session = session
        self._loop = asyncio.get_running_loop()
        self._wanted = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="web frames", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Let every reader end; may be called twice."""
        self._stopped.set()
        self._wanted.set()
        self.frames.close()
        for newest in self._encoded.values():
            newest.close()

    def join(self) -> None:
        """Wait for the end of the thread after `close`."""
        self._thread.join()

    async def mjpeg(self, view: str, *, fps_max: float) -> AsyncGenerator[bytes, None]:
        """Yield the parts of a multipart stream, the next one only when the client has taken the last.

        Frames beyond `fps_max` are left out.

        Each part tells when its frame was captured as X-Timestamp, seconds since 1970, as mjpg-streamer does.
        """
        # The boundary goes after each picture, not before: browsers show a part when they have seen its end.
        yield f"--{BOUNDARY}\r\n".encode()
        with self.reading(view):
            pace = FramePace(fps_max)
            async for frame in self._encoded[view].each():
                now_s = self._loop.time()
                if pace.is_early(now_s):
                    continue
                pace.take(now_s)
                head = (
                    f"Content-Type: image/jpeg\r\nContent-Length: {len(frame.jpeg)}\r\n"
                    f"X-Timestamp: {frame.captured_unix_s:.6f}\r\nX-Input-Width: {frame.input_width_px}\r\n\r\n"
                )
                yield b"".join((head.encode(), frame.jpeg, f"\r\n--{BOUNDARY}\r\n".encode()))

    @contextmanager
    def reading(self, what: str) -> Iterator[None]:
        """Count as a reader of a view, or of the bare `frames`, meanwhile."""
        if not self._readers[what]:
            (self.frames if what == "frames" else self._encoded[what]).forget()
        self._readers[what] += 1
        self._wanted.set()
        try:
            yield
        finally:
            self._readers[what] -= 1
            if not any(self._readers.values()) and not self._stopped.is_set():
                self._wanted.clear()

    def _run(self) -> None:
        while self._wanted.wait() and not self._stopped.is_set():
            subscription = self._session.subscribe("web")
            try:
                while self._wanted.is_set() and not self._stopped.is_set():
                    frame = subscription.wait(_WAIT_S)
                    if frame is not None:
                        self._hand_over(frame)
                        subscription.shown(frame)
                    elif subscription.is_closed:  # the run has ended
                        return
            finally:
                self._session.unsubscribe(subscription)

    def _hand_over(self, frame: LiveFrame) -> None:
        if self._readers["frames"]:
            self._put(self.frames, frame)
        for view, newest in self._encoded.items():
            if self._readers[view]:
                self._put(newest, self._encode(frame, view))

    def _encode(self, frame: LiveFrame, view: str) -> EncodedFrame:
        captured_unix_s = time.time() - (self._session.clock() - frame.captured_s)
        if view == "output" or frame.input.shape[0] != frame.output.shape[0]:
            return EncodedFrame(_jpeg(frame.output, JPEG_QUALITY), 0, captured_unix_s)
        both = np.hstack((frame.input, frame.output))
        return EncodedFrame(_jpeg(both, JPEG_QUALITY), frame.input.shape[1], captured_unix_s)

    def _put(self, newest: Newest[Any], value: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(newest.put, value)
        except RuntimeError:
            pass  # the loop has been closed meanwhile


def snapshot_jpeg(frame: LiveFrame) -> bytes:
    """Return the output as JPEG of high quality."""
    return _jpeg(frame.output, SNAPSHOT_QUALITY)


def _jpeg(rgb: NDArray[np.uint8], quality: int) -> bytes:
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return encoded.tobytes()
