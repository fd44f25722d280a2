"""A camera or a stream in the network as a live source: opened by OpenCV, opened again whenever it fails."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Protocol

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from .camera_address import CameraAddress
from .camera_watch import CameraWatch, Fault
from .live_source import CapturedFrame, SourceState

# Waits between attempts to open a camera; the last one stays. A picture that is fine begins anew.
BACKOFF_S = (0.5, 1.0, 2.0, 4.0, 8.0)
# USB 2 carries 1280x720 at 30 fps only compressed.
CAMERA_CODEC = "MJPG"
# How long a stream in the network may take to open, and to give a picture.
_NETWORK_TIMEOUT_MS = 5000


class Capture(Protocol):
    """The part of cv2.VideoCapture that is used; tests put their own in its place."""

    def isOpened(self) -> bool: ...
    def read(self) -> tuple[bool, MatLike | None]: ...
    def set(self, propId: int, value: float) -> bool: ...
    def get(self, propId: int) -> float: ...
    def release(self) -> None: ...


class CameraSource:
    """Pictures of the camera at `address`, asked for `size` (width, height) and `fps`.

    What the camera really gives is in `state.label`. Where it cannot be opened, fails, or repeats one picture, it is
    closed and opened again after growing waits; `state.fault` says why.
    """

    def __init__(
        self,
        address: CameraAddress,
        *,
        size: tuple[int, int],
        fps: int,
        clock: Callable[[], float] = time.perf_counter,
        open_capture: Callable[[CameraAddress], Capture] | None = None,
    ) -> None:
        self.dropped = 0
        self.state = SourceState(address.label, f"opening {address.label}")
        self._address = address
        self._size = size
        self._fps = fps
        self._clock = clock
        self._open_capture = open_capture or _open_capture
        self._watch = CameraWatch()
        self._attempts = 0

    def frames(self, stop: threading.Event) -> Iterator[CapturedFrame]:
        while not stop.is_set():
            capture = self._open_capture(self._address)
            try:
                if capture.isOpened():
                    self._configure(capture)
                    yield from self._read(capture, stop)
                else:
                    self._say(why_closed(self._address))
            finally:
                capture.release()
            stop.wait(BACKOFF_S[min(self._attempts, len(BACKOFF_S) - 1)])
            self._attempts += 1

    def close(self) -> None:
        """Nothing is open outside `frames`."""

    def _configure(self, capture: Capture) -> None:
        """Ask for codec, size and rate, in this order: the codec decides which sizes and rates there are.

        OpenCV's DirectShow forgets the codec with each change of the others, and keeps these when it is asked for last.
        """
        if not self._address.is_remote:
            asked: list[tuple[int, float]] = [
                (cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*CAMERA_CODEC)),
                (cv2.CAP_PROP_FRAME_WIDTH, self._size[0]),
                (cv2.CAP_PROP_FRAME_HEIGHT, self._size[1]),
                (cv2.CAP_PROP_FPS, self._fps),
            ]
            for property_id, value in asked if self._address.backend != cv2.CAP_DSHOW else reversed(asked):
                capture.set(property_id, value)
            # The oldest of four buffered pictures would be what is read. Not every backend knows it.
            capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)

    def _read(self, capture: Capture, stop: threading.Event) -> Iterator[CapturedFrame]:
        label = self._address.label
        self._watch.rearm(self._clock())
        described = False
        while not stop.is_set():
            is_read, bgr = capture.read()
            now_s = self._clock()
            if not is_read or bgr is None or bgr.ndim != 3:
                self._say(f"{label} gives no pictures any more; is it unplugged?")
                return
            rgb = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)
            if not described:
                label, described = f"{self._address.label} ({_described(capture, rgb)})", True
            fault = self._watch.see(rgb, now_s)
            if fault is Fault.FROZEN:
                self._attempts = 0  # it opens; that it is opened ever more rarely is up to the watch
                self._say(f"{self._address.label} shows the same picture all the time; opening it again")
                return
            if fault is Fault.BLACK:
                self.state = SourceState(
                    label, f"{self._address.label} is black; is its lens covered, or the room dark?"
                )
            else:
                self.state = SourceState(label)
            if self._watch.has_changed:
                self._attempts = 0
            yield CapturedFrame.of(rgb, now_s)

    def _say(self, fault: str) -> None:
        self.state = SourceState(self._address.label, fault)


def why_closed(address: CameraAddress) -> str:
    """Return why a camera does not open, as far as its device file tells."""
    label, device = address.label, address.device
    if device is not None and not device.exists():
        return f"{label} is not there; plug it in, or choose another"
    if device is not None and not os.access(device, os.R_OK | os.W_OK):
        return f"{label} may not be opened by you; add yourself to its group: sudo usermod -aG video $USER"
    if address.is_remote:
        return f"{label} cannot be reached, or sends no video"
    if sys.platform == "darwin":
        return f"{label} cannot be opened; allow it in System Settings, Privacy & Security, Camera, or end who uses it"
    return f"{label} cannot be opened; does another program use it, or has this one no permission?"


def _described(capture: Capture, rgb: NDArray[np.uint8]) -> str:
    """Return what the camera gives: size of the picture that came, codec and rate as it says."""
    height, width = rgb.shape[:2]
    code = int(capture.get(cv2.CAP_PROP_FOURCC))
    codec = bytes(code >> shift & 0xFF for shift in (0, 8, 16, 24)).decode("ascii", "replace").strip("\0 ")
    fps = capture.get(cv2.CAP_PROP_FPS)
    return " ".join(
        [f"{width}x{height}", *([codec] if codec.isalnum() else []), *([f"at {fps:g} fps"] if 0 < fps < 1000 else [])]
    )


def _open_capture(address: CameraAddress) -> Capture:
    # A live picture has no timestamps, rotation or sound to lose.
    capture = cv2.VideoCapture()  # noqa: TID251
    parameters = []
    if address.is_remote:
        parameters = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _NETWORK_TIMEOUT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC]
        parameters.append(_NETWORK_TIMEOUT_MS)
    try:
        capture.open(address.target, address.backend, parameters)
    except cv2.error:
        pass  # left closed, which is what the caller looks at
    return capture
