"""The modes of a camera are those that its driver lists; the driver is a stand-in of Video4Linux2."""

import errno
import struct
import subprocess
from pathlib import Path

import pytest

from realtime.camera_modes import ENUM_FORMATS, ENUM_INTERVALS, ENUM_SIZES, CameraMode, list_modes

MJPG, YUYV = (struct.unpack("I", code)[0] for code in (b"MJPG", b"YUYV"))
HEADER = Path("/usr/include/linux/videodev2.h")


class FakeDriver:
    """Answers the three requests as drivers do: it fills in the structure, and ends a list with EINVAL."""

    def __init__(self) -> None:
        self.sizes = {MJPG: [(1920, 1080), (1280, 720)], YUYV: [(640, 480)]}
        self.intervals = {(1920, 1080): [(1, 30), (1, 15)], (1280, 720): [(1, 60)], (640, 480): []}
        self.takes_any_size = False

    def __call__(self, descriptor: int, request: int, entry: bytearray) -> None:
        index, first, *_ = struct.unpack_from("III", entry)
        try:
            if request == ENUM_FORMATS:
                assert first == 1  # video capture
                struct.pack_into("I", entry, 44, list(self.sizes)[index])
            elif request == ENUM_SIZES and self.takes_any_size:
                struct.pack_into("7I", entry, 8, *[(3, 16, 3840, 2, 16, 2160, 2)][index])
            elif request == ENUM_SIZES:
                struct.pack_into("3I", entry, 8, 1, *self.sizes[first][index])
            else:
                assert request == ENUM_INTERVALS
                size = struct.unpack_from("II", entry, 8)
                struct.pack_into("3I", entry, 16, 1, *self.intervals.get(size, [])[index])
        except IndexError:
            raise OSError(errno.EINVAL, "no more") from None


@pytest.fixture
def device(tmp_path: Path) -> Path:
    path = tmp_path / "video0"
    path.touch()
    return path


def test_modes_are_codecs_sizes_and_their_highest_rates(device: Path) -> None:
    modes = list_modes(device, ioctl=FakeDriver())

    assert modes == [
        CameraMode("MJPG", 1920, 1080, 30),
        CameraMode("MJPG", 1280, 720, 60),
        CameraMode("YUYV", 640, 480, 0),
    ]
    assert [str(mode) for mode in modes] == ["1920x1080 at 30", "1280x720 at 60", "640x480"]


def test_of_a_camera_that_takes_any_size_the_largest_is_told(device: Path) -> None:
    driver = FakeDriver()
    driver.takes_any_size = True

    assert list_modes(device, ioctl=driver) == [CameraMode("MJPG", 3840, 2160, 0), CameraMode("YUYV", 3840, 2160, 0)]


def test_a_driver_whose_list_never_ends_keeps_nobody_waiting(device: Path) -> None:
    def endless(descriptor: int, request: int, entry: bytearray) -> None:
        if request == ENUM_SIZES:
            struct.pack_into("3I", entry, 8, 1, 640, 480)

    assert len(list_modes(device, ioctl=endless)) < 10_000


def test_what_is_no_camera_has_no_modes(device: Path) -> None:
    assert list_modes(device) == []


@pytest.mark.skipif(not HEADER.exists(), reason="needs the kernel's headers and a compiler")
def test_numbers_and_sizes_are_those_of_the_kernels_header(tmp_path: Path) -> None:
    source = tmp_path / "requests.c"
    source.write_text(
        "#include <linux/videodev2.h>\n#include <stdio.h>\n"
        'int main(void) { printf("%lu %lu %lu", VIDIOC_ENUM_FMT, VIDIOC_ENUM_FRAMESIZES, VIDIOC_ENUM_FRAMEINTERVALS); }'
    )
    subprocess.run(["cc", "-o", tmp_path / "requests", source], check=True)
    printed = subprocess.run([tmp_path / "requests"], capture_output=True, text=True, check=True).stdout

    assert [int(number) for number in printed.split()] == [ENUM_FORMATS, ENUM_SIZES, ENUM_INTERVALS]
