"""What every virtual camera must do, against stand-ins: of pyvirtualcam's API, and of a loopback device.

The stand-in of the device is a pipe, which is written and never read back, and FFmpeg's raw muxer: what the device
would get are the bytes of its pixel format. No real device has been tried here.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import numpy as np
import pytest

from realtime.errors import OutputError
from realtime.virtual_camera import (
    LoopbackCamera,
    PyVirtualCamera,
    VirtualCamera,
    find_loopback,
    open_virtual_camera,
)
from tests.live import Picture, noise

SIZE = (160, 90)
FRAME_BYTES = SIZE[0] * SIZE[1] * 3 // 2
FLAT = {"red": (255, 0, 0), "green": (0, 255, 0), "grey": (128, 128, 128)}


class StandIn:
    """pyvirtualcam.Camera as its documentation (0.15) has it: RGB (h, w, 3) uint8 of exactly its size."""

    problem: str | None = None
    fails_at: int | None = None

    def __init__(self, width: int, height: int, fps: float, *, fmt: str, device: str | None = None) -> None:
        if self.problem:
            raise RuntimeError(self.problem)
        assert fmt == "RGB"
        assert fps == 30
        self.shape = (height, width, 3)
        self.device = device or "OBS Virtual Camera"
        self.sent: list[Picture] = []
        self.closed = 0
        CAMERAS.append(self)

    def send(self, frame: Picture) -> None:
        if len(self.sent) == self.fails_at:
            raise RuntimeError("device gone")
        if frame.shape != self.shape:
            raise ValueError("unexpected frame shape")
        assert frame.dtype == np.uint8
        assert frame.flags.c_contiguous
        self.sent.append(frame)

    def close(self) -> None:
        self.closed += 1


CAMERAS: list[StandIn] = []


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> type[StandIn]:
    CAMERAS.clear()
    module: Any = ModuleType("pyvirtualcam")
    kind = type("Kind", (StandIn,), {})
    module.Camera = kind
    module.PixelFormat = type("PixelFormat", (), {"RGB": "RGB"})
    monkeypatch.setitem(sys.modules, "pyvirtualcam", module)
    return kind


class PipeReader:
    """The other end of a pipe that stands for a loopback device: keeps every byte."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.received = b""
        self._thread = threading.Thread(target=self._read, args=(path,), daemon=True)
        self._thread.start()

    def _read(self, path: Path) -> None:
        with path.open("rb") as file:
            self.received = file.read()

    def pictures(self) -> list[Picture]:
        self._thread.join(30)
        assert len(self.received) % FRAME_BYTES == 0
        rows = np.frombuffer(self.received, np.uint8).reshape(-1, SIZE[1] * 3 // 2, SIZE[0])
        return [
            av.VideoFrame.from_ndarray(np.ascontiguousarray(row), format="yuv420p")
            .reformat(format="rgb24", src_colorspace="ITU709", src_color_range="MPEG", dst_color_range="JPEG")
            .to_ndarray()
            for row in rows
        ]


Opened = tuple[VirtualCamera, Callable[[], list[Picture]]]


@pytest.fixture(params=["pyvirtualcam", "loopback"])
def opened(request: pytest.FixtureRequest, tmp_path: Path, stand_in: type[StandIn]) -> Iterator[Opened]:
    """Return a camera, and a function that closes it and returns what it has shown."""
    if request.param == "pyvirtualcam":
        camera: VirtualCamera = PyVirtualCamera(None, size=SIZE, fps=30)
        shown: Callable[[], list[Picture]] = lambda: CAMERAS[0].sent  # noqa: E731
    else:
        if sys.platform == "win32":
            pytest.skip("named pipes of POSIX")
        reader = PipeReader(tmp_path / "video10")
        camera = LoopbackCamera(tmp_path / "video10", size=SIZE, fps=30, muxer="rawvideo")
        shown = reader.pictures

    def close_and_look() -> list[Picture]:
        camera.close()
        return shown()

    yield camera, close_and_look
    camera.close()


def test_pictures_arrive_in_order_with_their_colours(opened: Opened) -> None:
    camera, close_and_look = opened
    for colour in FLAT.values():
        camera.send(np.full((90, 160, 3), colour, np.uint8))

    shown = close_and_look()

    assert len(shown) == len(FLAT)
    for picture, colour in zip(shown, FLAT.values(), strict=True):
        assert picture.shape == (90, 160, 3)
        assert np.abs(picture[45, 80].astype(int) - colour).max() <= 4


@pytest.mark.parametrize("size", [(160, 90), (90, 160), (320, 90), (161, 91), (16, 16)])
def test_pictures_of_any_size_are_letterboxed(size: tuple[int, int], opened: Opened) -> None:
    camera, close_and_look = opened
    camera.send(np.full((size[1], size[0], 3), 255, np.uint8))

    (picture,) = close_and_look()

    bright = picture[..., 1] > 128
    assert picture.shape == (90, 160, 3)
    assert bright[45, 80]
    assert bright.any(axis=0).sum() / bright.any(axis=1).sum() == pytest.approx(size[0] / size[1], rel=0.06)


def test_the_picture_sent_is_not_changed(opened: Opened) -> None:
    picture = noise(0, size=(64, 48))
    picture.flags.writeable = False

    opened[0].send(picture)

    assert np.array_equal(picture, noise(0, size=(64, 48)))


def test_nothing_can_be_sent_after_close_which_may_come_twice(opened: Opened) -> None:
    camera, close_and_look = opened
    close_and_look()
    camera.close()

    with pytest.raises(ValueError, match="has been closed"):
        camera.send(noise(0))


def test_it_says_what_it_is(opened: Opened) -> None:
    assert "160x90" in opened[0].description


def test_pyvirtualcam_that_is_missing_is_named_with_its_licence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)

    with pytest.raises(OutputError, match=r"stylecast\[vcam\].*GPL-2.0"):
        PyVirtualCamera(None, size=SIZE, fps=30)


def test_without_a_camera_every_backend_that_was_tried_is_told(stand_in: type[StandIn]) -> None:
    stand_in.problem = "'obs' backend: not installed\n'unitycapture' backend: no device"

    with pytest.raises(OutputError, match=r"obs.*unitycapture.*install OBS"):
        PyVirtualCamera("x", size=SIZE, fps=30)


def test_a_camera_that_fails_is_an_output_error(stand_in: type[StandIn]) -> None:
    stand_in.fails_at = 1
    camera = PyVirtualCamera(None, size=SIZE, fps=30)
    camera.send(noise(0))

    with pytest.raises(OutputError, match="device gone"):
        camera.send(noise(0))
    camera.close()
    assert CAMERAS[0].closed == 1


def test_a_file_that_is_no_device_is_refused_by_the_muxer_for_devices(tmp_path: Path) -> None:
    (tmp_path / "video10").write_bytes(b"")

    with pytest.raises(OutputError, match="v4l2loopback"):
        LoopbackCamera(tmp_path / "video10", size=SIZE, fps=30)


def test_a_device_that_is_missing_or_forbidden_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OutputError, match="modprobe v4l2loopback"):
        LoopbackCamera(tmp_path / "video10", size=SIZE, fps=30)
    (tmp_path / "video10").touch()
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(OutputError, match="usermod"):
        LoopbackCamera(tmp_path / "video10", size=SIZE, fps=30)


def test_auto_is_the_first_loopback_device_and_none_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="v4l2loopback-dkms"):
        find_loopback(tmp_path)
    for name in ("video10", "video2"):
        (tmp_path / name).mkdir()

    assert find_loopback(tmp_path) == Path("/dev/video2")


@pytest.mark.parametrize(("system", "kind"), [("linux", "LoopbackCamera"), ("win32", "PyVirtualCamera")])
def test_each_system_has_its_camera(
    system: str, kind: str, monkeypatch: pytest.MonkeyPatch, stand_in: type[StandIn]
) -> None:
    monkeypatch.setattr("sys.platform", system)
    monkeypatch.setattr(f"realtime.virtual_camera.{kind}", lambda device, **_: (kind, device))

    device: Any = open_virtual_camera("/dev/video7", size=SIZE, fps=30)

    assert device == (kind, Path("/dev/video7") if system == "linux" else "/dev/video7")
