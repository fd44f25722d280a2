"""Stand-ins for what a live run needs and a test machine lacks: time that obeys, a camera, a stream, a source."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime.live_source import CapturedFrame, SourceState
from realtime.microphone import BlockListener

Picture = NDArray[np.uint8]
# Generous: these machines also train networks. No test waits for it unless it fails.
PATIENCE_S = 60.0


class FakeTime:
    """A clock that moves when told to, and when someone waits on it in place of an event."""

    def __init__(self, now_s: float = 100.0) -> None:
        self.now_s = now_s
        self.waits: list[float] = []
        self.stops_at_s: float | None = None

    def __call__(self) -> float:
        return self.now_s

    def wait(self, timeout_s: float) -> bool:
        self.waits.append(timeout_s)
        self.now_s += timeout_s
        return self.is_set()

    def is_set(self) -> bool:
        return self.stops_at_s is not None and self.now_s >= self.stops_at_s


class FakeCapture:
    """A camera in place of cv2.VideoCapture; `pictures` are BGR, None is a failed read, and after the last all fail."""

    def __init__(
        self, pictures: Sequence[Picture | None], *, clock: FakeTime, opens: bool = True, period_s: float = 1 / 30
    ) -> None:
        self.asked: dict[int, float] = {}
        self.released = False
        self._pictures = iter(pictures)
        self._clock = clock
        self._opens = opens
        self._period_s = period_s

    def isOpened(self) -> bool:
        return self._opens

    def read(self) -> tuple[bool, Picture | None]:
        self._clock.now_s += self._period_s
        picture = next(self._pictures, None)
        return picture is not None, picture

    def set(self, propId: int, value: float) -> bool:
        self.asked[propId] = value
        return True

    def get(self, propId: int) -> float:
        return {cv2.CAP_PROP_FOURCC: float(cv2.VideoWriter.fourcc(*"MJPG")), cv2.CAP_PROP_FPS: 30.0}.get(propId, 0.0)

    def release(self) -> None:
        self.released = True


class ScriptedSource:
    """A live source that gives `pictures` as fast as they are taken; then it waits for the end, or fails, or ends."""

    def __init__(
        self,
        pictures: Iterator[Picture],
        clock: Callable[[], float],
        *,
        pause_s: float = 0.01,
        ends: bool = False,
        error: BaseException | None = None,
    ) -> None:
        self.dropped = 0
        self.state = SourceState("a scripted source")
        self.closed = False
        self._pictures = pictures
        self._clock = clock
        self._pause_s = pause_s
        self._ends = ends
        self._error = error

    def frames(self, stop: threading.Event) -> Iterator[CapturedFrame]:
        for picture in self._pictures:
            if stop.wait(self._pause_s):
                return
            yield CapturedFrame.of(picture, self._clock())
        if self._error is not None:
            raise self._error
        if not self._ends:
            stop.wait(PATIENCE_S)

    def close(self) -> None:
        self.closed = True


class HearingStream:
    """A microphone in place of PortAudio's, that hears a block every 20 ms until it is pulled out."""

    rate_hz, channels = 48_000, 1

    def __init__(self, device: str, on_block: BlockListener, on_end: Callable[[], None]) -> None:
        self._on_block, self._on_end = on_block, on_end
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._hear)

    def start(self) -> None:
        self._thread.start()

    def pull_out(self) -> None:
        self._closed.set()
        self._on_end()

    def close(self) -> None:
        self._closed.set()
        self._thread.join()

    def _hear(self) -> None:
        while not self._closed.wait(0.02):
            now_s = time.monotonic()
            self._on_block(np.full((960, 1), 9_000, np.int16), now_s - 0.02, now_s)


class MjpegServer:
    """A camera in the network: every client gets `picture()` as JPEG again and again until `stop`."""

    def __init__(self, picture: Callable[[int], Picture], *, port: int = 0) -> None:
        self._stopped = stopped = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                number = 0
                while not stopped.wait(0.03):
                    body = cv2.imencode(".jpg", picture(number))[1].tobytes()
                    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n\r\n"
                    try:
                        self.wfile.write(head.encode() + body + b"\r\n")
                    except OSError:
                        return
                    number += 1

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/feed.mjpg"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def noise(seed: int, *, size: tuple[int, int] = (64, 48)) -> Picture:
    """Return a picture (H, W, 3) of noise, another for each seed."""
    width, height = size
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def until(condition: Callable[[], object], *, timeout_s: float = PATIENCE_S) -> None:
    """Wait until `condition` holds; fail when it does not in time."""
    event = threading.Event()
    for _ in range(round(timeout_s / 0.02)):
        if condition():
            return
        event.wait(0.02)
    raise AssertionError("it did not happen in time")
