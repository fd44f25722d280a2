"""Feed a virtual camera that video calls and OBS take for a real one: v4l2loopback on Linux, else pyvirtualcam.

On Linux FFmpeg writes to the device itself, so that nothing needs to be installed for Python. Elsewhere, and where
v4l2loopback is asked for through it, the extra `[vcam]` brings pyvirtualcam, which is GPL-2.0.
"""

import os
import sys
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from .color import SDR_TAGS, ColorConverter
from .errors import OutputError
from .media import reason
from .overlay import letterbox

if TYPE_CHECKING:
    from av.container import OutputContainer

# What the name of a loopback device's folder in /sys leads to; real cameras are below their bus.
VIRTUAL_DEVICES = Path("/sys/devices/virtual/video4linux")
# What every program reads, of those formats that v4l2loopback hands on as they are.
LOOPBACK_PIXEL_FORMAT = "yuv420p"
_LOOPBACK_MUXER = "video4linux2,v4l2"
LOAD_LOOPBACK = "sudo modprobe v4l2loopback exclusive_caps=1 card_label=Stylecast"


class VirtualCamera(Protocol):
    """Takes pictures of any size and shows them letterboxed. `tests/contract/test_virtual_camera.py` holds all to this.

    `description` names device and size for people.
    """

    description: str

    def send(self, rgb: NDArray[np.uint8]) -> None:
        """Show a picture, (H, W, 3) uint8; raises OutputError when the device fails, ValueError after `close`."""
        ...

    def close(self) -> None:
        """Give the device back; may be called twice."""
        ...


def open_virtual_camera(device: str, *, size: tuple[int, int], fps: int) -> VirtualCamera:
    """Open the virtual camera that `--vcam` names; `auto` is the first of the system.

    Raises:
        OutputError: there is none, or it cannot be opened; the message says what to install.
    """
    if not sys.platform.startswith("linux"):
        return PyVirtualCamera(None if device == "auto" else device, size=size, fps=fps)
    return LoopbackCamera(find_loopback() if device == "auto" else Path(device), size=size, fps=fps)


def find_loopback(folder: Path = VIRTUAL_DEVICES) -> Path:
    """Return the first v4l2loopback device.

    Raises:
        OutputError: there is none.
    """
    names = sorted((path.name for path in folder.glob("video*")), key=lambda name: (len(name), name))
    if not names:
        raise OutputError(
            f"no virtual camera is there: install v4l2loopback (Debian, Ubuntu: apt install v4l2loopback-dkms), "
            f"then: {LOAD_LOOPBACK}"
        )
    return Path("/dev") / names[0]


class LoopbackCamera:
    """A v4l2loopback device, written to by FFmpeg's own muxer for such devices.

    Raises:
        OutputError: the device is missing, busy or no loopback.
    """

    def __init__(self, device: Path, *, size: tuple[int, int], fps: int, muxer: str = _LOOPBACK_MUXER) -> None:
        self.description = f"{device} ({size[0]}x{size[1]} {LOOPBACK_PIXEL_FORMAT})"
        self._device = device
        self._size = size
        self._count = 0
        self._converter = ColorConverter(SDR_TAGS, height=size[1])
        self._container: OutputContainer | None = None
        if not device.exists():
            raise OutputError(f"the virtual camera {device} does not exist; {LOAD_LOOPBACK}")
        if not os.access(device, os.W_OK):
            raise OutputError(f"{device} may not be written by you; add yourself to its group: usermod -aG video $USER")
        try:
            self._container = av.open(os.fspath(device), "w", format=muxer)
            self._stream: Any = self._container.add_stream("rawvideo", rate=fps)
            self._stream.width, self._stream.height = size
            self._stream.pix_fmt = LOOPBACK_PIXEL_FORMAT
            self._stream.codec_context.time_base = Fraction(1, fps)
            self._container.start_encoding()
        except (av.error.FFmpegError, OSError, ValueError) as error:
            self.close()
            raise self._failure(error) from error

    def send(self, rgb: NDArray[np.uint8]) -> None:
        if self._container is None:
            raise ValueError(f"{self._device} has been closed: nothing more can be sent")
        frame = self._converter.from_rgb(letterbox(rgb, self._size), pixel_format=LOOPBACK_PIXEL_FORMAT)
        frame.pts = self._count
        self._count += 1
        try:
            self._container.mux(self._stream.encode(frame))
        except (av.error.FFmpegError, OSError) as error:
            raise self._failure(error) from error

    def close(self) -> None:
        container, self._container = self._container, None
        try:
            if container is not None:
                container.close()
        except (av.error.FFmpegError, OSError):
            pass  # the device is gone, which `send` has told

    def _failure(self, error: Exception) -> OutputError:
        return OutputError(
            f"the virtual camera {self._device} cannot be written ({reason(error)}); is it a v4l2loopback device, and "
            "has no other program opened it for writing?"
        )


class PyVirtualCamera:
    """The camera of OBS (Windows, macOS) or Unity Capture (Windows) through pyvirtualcam.

    Raises:
        OutputError: pyvirtualcam or a camera for it is not installed.
    """

    def __init__(self, device: str | None, *, size: tuple[int, int], fps: int) -> None:
        self._size = size
        self._camera: Any = None
        try:
            import pyvirtualcam
        except ImportError as error:
            raise OutputError(
                f"a virtual camera needs pyvirtualcam here ({error}); pip install 'stylecast[vcam]' (it is GPL-2.0)"
            ) from error
        try:
            self._camera = pyvirtualcam.Camera(*size, fps, fmt=pyvirtualcam.PixelFormat.RGB, device=device)
        except (RuntimeError, ValueError) as error:  # documented: one line for each backend that was tried
            raise OutputError(
                f"no virtual camera can be opened ({'; '.join(str(error).splitlines())}); install OBS Studio and start "
                "and stop its virtual camera once"
            ) from error
        self.description = f"{self._camera.device} ({size[0]}x{size[1]})"

    def send(self, rgb: NDArray[np.uint8]) -> None:
        if self._camera is None:
            raise ValueError("the virtual camera has been closed: nothing more can be sent")
        try:
            self._camera.send(letterbox(rgb, self._size))
        except RuntimeError as error:
            raise OutputError(f"the virtual camera fails: {' '.join(str(error).split())}") from error

    def close(self) -> None:
        camera, self._camera = self._camera, None
        if camera is not None:
            camera.close()
