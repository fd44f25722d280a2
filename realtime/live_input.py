"""What `stylize-webcam` is given as its source: a video file, or a camera by index, name, device path or address."""

import time
from collections.abc import Callable
from pathlib import Path

from .camera_address import find_camera
from .camera_permission import ask_for_camera
from .camera_source import CameraSource
from .catalogue import is_file
from .live_settings import LiveSettings
from .live_source import LiveSource
from .paced_source import PacedFileSource


def open_live_source(
    text: str, settings: LiveSettings, *, clock: Callable[[], float] = time.perf_counter
) -> LiveSource:
    """Return the source that `text` names; a camera is opened later, again and again if need be.

    Raises:
        UsageError: it is neither a file nor the name of a camera.
        InputError: the file cannot be read.
    """
    if is_file(Path(text)):
        return PacedFileSource(Path(text), loop=settings.loop, clock=clock)
    size = (settings.capture_size.width, settings.capture_size.height)
    address = find_camera(text)
    if not address.is_remote:
        ask_for_camera()
    return CameraSource(address, size=size, fps=settings.capture_fps, clock=clock)
