"""Cameras that are unplugged, busy, black, frozen or change their size: told in words, opened again, nothing leaks."""

from collections.abc import Iterator
from itertools import chain, islice, repeat
from pathlib import Path

import cv2
import numpy as np
import pytest

from realtime.camera_address import CameraAddress, find_camera
from realtime.camera_source import BACKOFF_S, CameraSource, why_closed
from realtime.errors import UsageError
from realtime.live_source import CapturedFrame
from tests.live import FakeCapture, FakeTime, Picture, noise

ADDRESS = CameraAddress(0, cv2.CAP_ANY, "camera 0")


class Cameras:
    """Hands out one capture for each attempt to open the camera, the last one again and again."""

    def __init__(self, clock: FakeTime, *scripts: list[Picture | None] | None) -> None:
        self._clock = clock
        self._scripts = chain(scripts, repeat(scripts[-1]))
        self.opened: list[FakeCapture] = []

    def __call__(self, address: CameraAddress) -> FakeCapture:
        script = next(self._scripts)
        self.opened.append(FakeCapture(script or [], clock=self._clock, opens=script is not None))
        return self.opened[-1]


@pytest.fixture
def clock() -> FakeTime:
    return FakeTime()


def frames_of(source: CameraSource, clock: FakeTime) -> Iterator[CapturedFrame]:
    return source.frames(clock)  # type: ignore[arg-type]  # it waits as an event does


def source_of(cameras: Cameras, clock: FakeTime) -> CameraSource:
    return CameraSource(ADDRESS, size=(1280, 720), fps=30, clock=clock, open_capture=cameras)


def test_codec_size_and_rate_are_asked_for_and_what_comes_is_read_back(clock: FakeTime) -> None:
    cameras = Cameras(clock, [noise(0, size=(640, 360))])
    source = source_of(cameras, clock)

    frame = next(frames_of(source, clock))

    asked = cameras.opened[0].asked
    assert asked[cv2.CAP_PROP_FOURCC] == cv2.VideoWriter.fourcc(*"MJPG")
    assert (asked[cv2.CAP_PROP_FRAME_WIDTH], asked[cv2.CAP_PROP_FRAME_HEIGHT]) == (1280, 720)
    assert asked[cv2.CAP_PROP_FPS] == 30
    assert source.state.label == "camera 0 (640x360 MJPG at 30 fps)"
    assert not source.state.fault
    assert np.array_equal(frame.to_rgb(), noise(0, size=(640, 360))[..., ::-1])


@pytest.mark.parametrize(("backend", "place"), [(cv2.CAP_V4L2, 0), (cv2.CAP_DSHOW, 3)])
def test_the_codec_is_asked_for_where_the_backend_keeps_it(backend: int, place: int, clock: FakeTime) -> None:
    cameras = Cameras(clock, [noise(0)])
    address = CameraAddress(0, backend, "camera 0")
    source = CameraSource(address, size=(1280, 720), fps=30, clock=clock, open_capture=cameras)

    next(frames_of(source, clock))

    asked = [each for each in cameras.opened[0].asked if each != cv2.CAP_PROP_BUFFERSIZE]
    assert asked.index(cv2.CAP_PROP_FOURCC) == place


def test_an_unplugged_camera_is_told_and_opened_again_after_growing_waits(clock: FakeTime) -> None:
    pictures = [noise(index) for index in range(3)]
    cameras = Cameras(clock, list(pictures), None, None, None, list(pictures))
    source = source_of(cameras, clock)
    frames = frames_of(source, clock)

    assert len(list(islice(frames, 4))) == 4

    assert clock.waits == list(BACKOFF_S[:4])
    assert not source.state.fault
    assert all(capture.released for capture in cameras.opened[:-1])


def test_while_it_is_away_the_fault_says_so(clock: FakeTime) -> None:
    cameras = Cameras(clock, [noise(0)], None)
    source = source_of(cameras, clock)
    clock.stops_at_s = clock.now_s + 0.3

    list(frames_of(source, clock))

    assert "unplugged" in source.state.fault
    assert all(capture.released for capture in cameras.opened)


def test_hours_without_a_camera_open_nothing_twice_and_wait_the_longest_step(clock: FakeTime) -> None:
    cameras = Cameras(clock, None)
    source = source_of(cameras, clock)
    clock.stops_at_s = clock.now_s + 3600

    list(frames_of(source, clock))

    assert len(cameras.opened) <= 3600 / BACKOFF_S[-1] + len(BACKOFF_S)
    assert all(capture.released for capture in cameras.opened)
    assert "another program" in source.state.fault


def test_a_camera_that_changes_its_size_goes_on(clock: FakeTime) -> None:
    cameras = Cameras(clock, [noise(0), noise(1, size=(32, 20)), noise(2)])

    frames = list(islice(frames_of(source_of(cameras, clock), clock), 3))

    assert [frame.to_rgb().shape for frame in frames] == [(48, 64, 3), (20, 32, 3), (48, 64, 3)]
    assert len(cameras.opened) == 1


def test_a_black_camera_is_told_but_its_pictures_still_come(clock: FakeTime) -> None:
    dark = [np.full((48, 64, 3), index % 3, np.uint8) for index in range(90)]
    source = source_of(Cameras(clock, [*dark, noise(0)]), clock)
    frames = frames_of(source, clock)

    assert len(list(islice(frames, 90))) == 90
    assert "black" in source.state.fault
    next(frames)
    assert not source.state.fault


def test_a_frozen_camera_is_opened_again_ever_more_rarely_until_its_picture_changes(clock: FakeTime) -> None:
    cameras = Cameras(clock, [noise(7)] * 10_000)
    source = source_of(cameras, clock)
    clock.stops_at_s = clock.now_s + 30

    list(frames_of(source, clock))

    assert "same picture" in source.state.fault or not source.state.fault
    assert clock.waits[:3] == [BACKOFF_S[0]] * 3  # after 5, 5, and 10 s
    assert len(cameras.opened) == 4


def test_a_captured_screen_with_a_small_clock_is_not_frozen(clock: FakeTime) -> None:
    screens = [np.full((90, 160, 3), 120, np.uint8) for _ in range(2)]
    screens[1][17, 33] = 255  # between the pixels that are looked at first
    cameras = Cameras(clock, screens * 1000)
    clock.stops_at_s = clock.now_s + 30

    list(frames_of(source_of(cameras, clock), clock))

    assert len(cameras.opened) == 1


def test_slides_that_are_captured_are_interrupted_ever_more_rarely(clock: FakeTime) -> None:
    slides = (np.full((48, 64, 3), slide * 20, np.uint8) for slide in range(1, 13))
    cameras = Cameras(clock, [slide for slide in slides for _ in range(30 * 30)])
    source = source_of(cameras, clock)
    first, *_ = shown = list(islice(frames_of(source, clock), 30 * 300))

    assert len(cameras.opened) <= 7  # after 5, 5, 10, 20, 40, 80 and 160 s
    assert shown[-1].captured_s - first.captured_s < 300 + 10


def test_a_picture_that_moves_begins_the_waits_anew(clock: FakeTime) -> None:
    cameras = Cameras(clock, None, None, [noise(0), noise(1)], [noise(2)])
    source = source_of(cameras, clock)

    assert len(list(islice(frames_of(source, clock), 3))) == 3

    assert clock.waits == [BACKOFF_S[0], BACKOFF_S[1], BACKOFF_S[0]]


def test_a_device_that_is_missing_or_forbidden_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = tmp_path / "video9"
    address = CameraAddress(str(device), cv2.CAP_V4L2, str(device), device)
    assert "plug it in" in why_closed(address)

    device.touch()
    assert "another program" in why_closed(address)
    monkeypatch.setattr("os.access", lambda *_: False)
    assert "usermod" in why_closed(address)


class _Info:
    def __init__(self, index: int, name: str) -> None:
        self.index, self.name, self.path = index, name, None


@pytest.mark.parametrize(
    ("text", "index"), [("HD Pro Webcam C920", 2), ("c920", 2), ("Integrated Camera", 0), ("integrated camera", 0)]
)
def test_a_camera_is_found_by_its_name_or_a_part_of_it(text: str, index: int, monkeypatch: pytest.MonkeyPatch) -> None:
    infos = [_Info(0, "Integrated Camera"), _Info(1, "Integrated Camera IR"), _Info(2, "HD Pro Webcam C920")]
    monkeypatch.setattr("realtime.camera_address.enumerate_cameras", lambda _: infos)

    assert find_camera(text).target == index


@pytest.mark.parametrize("text", ["nothing like it", "camera"])
def test_a_name_of_no_or_several_cameras_lists_those_there_are(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    infos = [_Info(0, "Front camera"), _Info(3, "Rear camera")]
    monkeypatch.setattr("realtime.camera_address.enumerate_cameras", lambda _: infos)

    with pytest.raises(UsageError, match="0: Front camera, 3: Rear camera"):
        find_camera(text)


def test_the_label_of_an_address_tells_no_password() -> None:
    address = find_camera("rtsp://me:secret@camera.local:554/stream?token=secret")

    assert address.is_remote
    assert "secret" not in address.label
    assert "camera.local/stream" in address.label
