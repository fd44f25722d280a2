"""What the user calls a camera: an index, a name, a device path or an address in the network."""

import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import cv2
from cv2_enumerate_cameras import enumerate_cameras

from .errors import UsageError

URL_SCHEMES = ("http", "https", "rtsp", "rtmp", "udp", "tcp")
_BACKEND = {"linux": cv2.CAP_V4L2, "win32": cv2.CAP_DSHOW, "darwin": cv2.CAP_AVFOUNDATION}
_DEVICE_FOLDER = "/dev/"


@dataclass(frozen=True, slots=True)
class CameraAddress:
    """Where OpenCV finds a camera: `target` for its `backend`; `label` is for people and holds no password.

    `device` is the file of a device on Linux, whose absence or permissions tell why a camera does not open.
    """

    target: int | str
    backend: int
    label: str
    device: Path | None = None

    @property
    def is_remote(self) -> bool:
        return self.backend == cv2.CAP_FFMPEG


def find_camera(text: str) -> CameraAddress:
    """Return the camera that `text` names; only a name needs the camera to be there already.

    Raises:
        UsageError: no camera, or more than one, has such a name.
    """
    backend = _backend()
    if text.isdecimal():
        device = Path(f"{_DEVICE_FOLDER}video{text}") if sys.platform == "linux" else None
        return CameraAddress(int(text), backend, f"camera {text}", device)
    if is_url(text):
        parts = urlsplit(text)
        return CameraAddress(text, cv2.CAP_FFMPEG, f"{parts.scheme}://{parts.hostname or ''}{parts.path}")
    if text.startswith(_DEVICE_FOLDER):
        return CameraAddress(text, backend, text, Path(text))
    cameras = list_cameras()
    exact = [camera for camera in cameras if camera.label.casefold() == text.casefold()]
    found = exact or [camera for camera in cameras if text.casefold() in camera.label.casefold()]
    if len(found) != 1:
        names = ", ".join(f"{camera.target}: {camera.label}" for camera in cameras) or "none"
        problem = "several cameras have" if found else "there is no file and no camera with"
        raise UsageError(f"{problem} the name {text!r}; cameras here: {names}")
    return found[0]


def list_cameras() -> list[CameraAddress]:
    """Return the cameras of this machine by index; none is opened."""
    infos = {info.index: info for info in enumerate_cameras(_backend())}
    return [
        CameraAddress(index, _backend(), info.name, Path(info.path) if sys.platform == "linux" and info.path else None)
        for index, info in sorted(infos.items())
    ]


def _backend() -> int:
    return _BACKEND.get(sys.platform, cv2.CAP_ANY)


def is_url(text: str) -> bool:
    return text.partition("://")[0].lower() in URL_SCHEMES and "://" in text
