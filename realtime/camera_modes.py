"""The modes of a camera on Linux, as its driver lists them (Video4Linux2); no picture is taken, its light stays off."""

import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

# ioctl numbers and structures of linux/videodev2.h; the numbers are those of x86 and ARM.
ENUM_FORMATS, ENUM_SIZES, ENUM_INTERVALS = 0xC0405602, 0xC02C564A, 0xC034564B
_FORMAT = struct.Struct("III32sI4I")  # index, type, flags, description, pixelformat, reserved
_SIZE = struct.Struct("III6I2I")  # index, pixel_format, type, width, height or ranges, reserved
_INTERVAL = struct.Struct("IIIII6I2I")  # index, pixel_format, width, height, type, numerator, denominator or ranges
_CAPTURE = 1
_DISCRETE = 1
# No camera has so many; a driver that never says that the list ends must not keep anybody waiting.
_ENTRIES_MAX = 64

Ioctl = Callable[[int, int, bytearray], object]


@dataclass(frozen=True, slots=True)
class CameraMode:
    """A codec (`MJPG`), a size in pixels, and the highest rate at it, 0 where the driver does not tell."""

    codec: str
    width: int
    height: int
    fps: float

    def __str__(self) -> str:
        return f"{self.width}x{self.height}" + (f" at {self.fps:g}" if self.fps else "")


def list_modes(device: Path, *, ioctl: Ioctl | None = None) -> list[CameraMode]:
    """Return the modes of a camera, in the driver's order; where it takes any size, the largest.

    Raises:
        OSError: the device cannot be opened.
    """
    if ioctl is None:
        import fcntl  # not on Windows

        ioctl = fcntl.ioctl
    descriptor = os.open(device, os.O_RDWR | os.O_NONBLOCK)
    try:
        return [
            CameraMode(struct.pack("I", code).decode("ascii", "replace").strip(), width, height, fps)
            for code in _codecs(descriptor, ioctl)
            for width, height in _sizes(descriptor, code, ioctl)
            for fps in [_highest_rate(descriptor, code, width, height, ioctl)]
        ]
    finally:
        os.close(descriptor)


def _codecs(descriptor: int, ioctl: Ioctl) -> Iterator[int]:
    for entry in _entries(descriptor, ENUM_FORMATS, _FORMAT, (_CAPTURE, 0, b"", 0), ioctl):
        yield entry[4]


def _sizes(descriptor: int, code: int, ioctl: Ioctl) -> Iterator[tuple[int, int]]:
    for entry in _entries(descriptor, ENUM_SIZES, _SIZE, (code, 0), ioctl):
        # A range is min, max and step of the width, then of the height.
        yield (entry[3], entry[4]) if entry[2] == _DISCRETE else (entry[4], entry[7])
        if entry[2] != _DISCRETE:
            return


def _highest_rate(descriptor: int, code: int, width: int, height: int, ioctl: Ioctl) -> float:
    # Of a range the first interval is the shortest.
    entries = _entries(descriptor, ENUM_INTERVALS, _INTERVAL, (code, width, height, 0), ioctl)
    return max((entry[6] / entry[5] for entry in entries if entry[5]), default=0.0)


def _entries(
    descriptor: int, request: int, layout: struct.Struct, fields: tuple[int | bytes, ...], ioctl: Ioctl
) -> Iterator[tuple[int, ...]]:
    """Yield the entries of a list until the driver says that there are no more."""
    missing = len(layout.unpack(bytes(layout.size))) - 1 - len(fields)
    for index in range(_ENTRIES_MAX):
        entry = bytearray(layout.pack(index, *fields, *[0] * missing))
        try:
            ioctl(descriptor, request, entry)
        except OSError:
            return
        yield layout.unpack(entry)
