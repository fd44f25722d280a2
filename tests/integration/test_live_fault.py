"""Live runs with what can go wrong around them: the loop must go on and say what it is, or end with the error."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from realtime.camera_address import find_camera
from realtime.camera_source import CameraSource
from realtime.errors import InputError, OutputError, StyleError
from realtime.live_feed import VCAM_SINK, VirtualCameraFeed
from realtime.live_source import PushSource, SourceState
from realtime.style_choice import StyleChoice
from tests.live import PATIENCE_S, MjpegServer, Picture, noise, until
from tests.live_run import next_frame, session_of, source_of, style
from tests.unit.fakes import FakeEngine

pytestmark = pytest.mark.usefixtures("no_thread_is_left")


def test_the_first_error_ends_the_run_and_reaches_the_caller(engines: dict[str, FakeEngine]) -> None:
    source = source_of(iter([noise(0)]), error=InputError("the cable burns"))

    with pytest.raises(InputError, match="the cable burns"), session_of(source) as session:
        assert session.wait(PATIENCE_S)


def test_a_network_that_fails_ends_the_run_and_reaches_the_caller(engines: dict[str, FakeEngine]) -> None:
    def fail(rgb: Picture) -> Picture:
        raise StyleError("the device is gone")

    engines["test"] = FakeEngine(fail)

    with pytest.raises(StyleError, match="the device is gone"), session_of(source_of()) as session:
        assert session.wait(PATIENCE_S)


def test_a_camera_that_hangs_in_its_driver_is_told_and_does_not_keep_the_run_from_ending(
    engines: dict[str, FakeEngine],
) -> None:
    released = threading.Event()

    def hang() -> Iterator[Picture]:
        yield noise(0)
        released.wait(PATIENCE_S)

    with session_of(source_of(hang())) as session:
        slot = session.subscribe("test")
        next_frame(slot, lambda frame: frame.is_message)
        began_s = time.monotonic()
    assert time.monotonic() - began_s < PATIENCE_S / 3
    released.set()


def test_a_consumer_that_hangs_slows_no_other(engines: dict[str, FakeEngine]) -> None:
    with session_of(source_of()) as session:
        hanging = session.subscribe("hangs")
        slot = session.subscribe("test", depth=1000)
        for _ in range(30):
            next_frame(slot)
        dropped = hanging.dropped

    assert slot.dropped == 0
    assert dropped >= 25


def test_in_silence_the_last_picture_stays_and_the_status_says_so(engines: dict[str, FakeEngine]) -> None:
    source = PushSource("phone", silence_s=0.3)
    with session_of(source) as session:
        slot = session.subscribe("test")
        assert next_frame(slot, lambda frame: frame.is_message).output.shape == (720, 1280, 3)

        source.push(lambda: np.full((48, 64, 3), 200, np.uint8), time.monotonic())
        assert not next_frame(slot, lambda frame: not frame.is_message).is_message
        message = next_frame(slot, lambda frame: frame.is_message)
        assert message.output.shape == (48, 64, 3)
        assert session.status().message == "no picture comes from the phone"

        source.push(lambda: np.full((48, 64, 3), 100, np.uint8), time.monotonic())
        next_frame(slot, lambda frame: not frame.is_message)
        until(lambda: session.status().message == "")


def test_a_message_never_shows_the_camera_itself(engines: dict[str, FakeEngine]) -> None:
    engines["test"] = FakeEngine(lambda rgb: np.full_like(rgb, 40))
    source = PushSource("phone", silence_s=0.3)
    with session_of(source) as session:
        slot = session.subscribe("test")
        source.push(lambda: np.full((480, 640, 3), 240, np.uint8), time.monotonic())
        painted = next_frame(slot, lambda frame: not frame.is_message)
        message = next_frame(slot, lambda frame: frame.is_message)

    assert painted.output.max() == 40
    for picture in (message.input, message.output):
        assert picture.max() == 40


def test_a_fault_is_told_and_stays_off_the_air(engines: dict[str, FakeEngine]) -> None:
    engines["test"] = FakeEngine(lambda rgb: np.full_like(rgb, 40))
    source = source_of()
    with session_of(source) as session:
        source.state = SourceState("camera", "camera 0 is black; is its lens covered, or the room dark?")
        slot = session.subscribe("test")
        frames = [next_frame(slot) for _ in range(3)]
        assert session.status().message.startswith("camera 0 is black")

    assert all(frame.output.min() == frame.output.max() == 40 for frame in frames)


def test_a_stream_that_is_killed_is_told_and_found_again(engines: dict[str, FakeEngine]) -> None:
    server = MjpegServer(lambda number: noise(number, size=(160, 120)))
    source = CameraSource(find_camera(server.url), size=(160, 120), fps=30)
    with session_of(source) as session:
        slot = session.subscribe("test")
        assert next_frame(slot, lambda frame: not frame.is_message).output.shape == (120, 160, 3)

        server.stop()
        assert next_frame(slot, lambda frame: frame.is_message).output.shape == (120, 160, 3)
        until(lambda: session.status().message)

        again = MjpegServer(lambda number: noise(number, size=(160, 120)), port=server.port)
        next_frame(slot, lambda frame: not frame.is_message)
        until(lambda: session.status().message == "")
        again.stop()


def test_a_style_that_cannot_be_loaded_is_a_message_and_the_run_goes_on(
    engines: dict[str, FakeEngine], tmp_path: Path
) -> None:
    with session_of(source_of()) as session:
        slot = session.subscribe("test")
        session.set_style(StyleChoice(style().model, (tmp_path / "missing.jpg",), (1.0,)))
        until(lambda: session.status().message)
        next_frame(slot)
        assert session.status().style == "test"


def test_a_virtual_camera_that_fails_is_a_message_and_the_run_goes_on(engines: dict[str, FakeEngine]) -> None:
    class Camera:
        description = "a camera"
        sent = closed = 0

        def send(self, rgb: Picture) -> None:
            self.sent += 1
            if self.sent == 3:
                raise OutputError("the virtual camera is gone")

        def close(self) -> None:
            self.closed += 1

    camera = Camera()
    with session_of(source_of()) as session:
        slot = session.subscribe("test")
        with VirtualCameraFeed(session, camera):
            until(lambda: session.status().message == "the virtual camera is gone")
            next_frame(slot)
            assert VCAM_SINK not in [sink.name for sink in session.status().sinks]

    assert (camera.sent, camera.closed) == (3, 1)
