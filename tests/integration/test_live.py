"""Live runs as a whole, with everything that can go wrong around them: the loop must go on and say what it is."""

import gc
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count, pairwise, repeat
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

import realtime.microphone
import realtime.style_bank
from realtime.camera_address import find_camera
from realtime.camera_source import CameraSource
from realtime.catalogue import Style
from realtime.errors import InputError, OutputError, StyleError, UsageError
from realtime.live_feed import VCAM_SINK, VirtualCameraFeed
from realtime.live_frame import LiveFrame, Subscription
from realtime.live_session import LiveSession
from realtime.live_settings import LiveControls, LiveSettings
from realtime.live_source import LiveSource, PushSource
from realtime.picture import Picture as StillPicture
from realtime.style_choice import StyleChoice, choose_style
from realtime.video_sink import VideoFileSink
from tests.live import PATIENCE_S, HearingStream, MjpegServer, Picture, ScriptedSource, noise, until
from tests.media import numbered, read_frames, read_number
from tests.unit.fakes import FakeEngine

CONTROLS = LiveControls(smoothing=0)


def invert(rgb: Picture) -> Picture:
    return 255 - rgb


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> dict[str, FakeEngine]:
    """Return the engines that styles get, by name of the style: one put in before is used, others invert."""
    known: dict[str, FakeEngine] = {}
    monkeypatch.setattr(
        realtime.style_bank, "open_style", lambda style, **_: known.setdefault(style.name, FakeEngine(invert))
    )
    return known


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    until(lambda: not [thread for thread in set(threading.enumerate()) - before if thread.is_alive()], timeout_s=20)


def style(name: str = "test") -> StyleChoice:
    return StyleChoice(Style(name, name, Path(f"{name}.onnx"), None, None, {}))


def session_of(source: LiveSource, **options: Any) -> LiveSession:
    controls = options.pop("controls", CONTROLS)
    return LiveSession(source, style(), settings=LiveSettings(fps=240, **options), controls=controls)


def moving(size: tuple[int, int] = (64, 48)) -> Iterator[Picture]:
    return (numbered(index % 256, size) for index in count())


def source_of(pictures: Iterator[Picture] | None = None, **options: Any) -> ScriptedSource:
    return ScriptedSource(pictures or moving(), time.monotonic, **options)


def next_frame(slot: Subscription, wanted: Callable[[LiveFrame], object] = lambda frame: True) -> LiveFrame:
    """Return the next frame that is as wanted."""
    limit_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < limit_s:
        frame = slot.wait(1)
        if frame is not None and wanted(frame):
            return frame
    raise AssertionError("no such frame came")


def test_frames_are_stylised_in_order_with_their_input_and_time(engines: dict[str, FakeEngine]) -> None:
    with session_of(source_of()) as session:
        slot = session.subscribe("test", depth=1000)
        frames = [next_frame(slot) for _ in range(20)]

    assert all(np.array_equal(frame.output, 255 - frame.input) for frame in frames)
    assert all(later.index == earlier.index + 1 for earlier, later in pairwise(frames))
    assert all(later.captured_s > earlier.captured_s for earlier, later in pairwise(frames))


def test_an_exhausted_source_ends_the_run_after_its_last_frame(engines: dict[str, FakeEngine]) -> None:
    source = source_of((numbered(index) for index in range(30)), ends=True)
    with session_of(source) as session:
        slot = session.subscribe("test", depth=1000)
        assert session.wait(PATIENCE_S)
        last = None
        while (frame := slot.wait(0)) is not None:
            last = frame

    assert last is not None
    assert read_number(last.input) == 29
    assert source.closed


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


def test_a_slow_network_shows_the_newest_frames_drops_the_others_and_stays_in_time(
    engines: dict[str, FakeEngine],
) -> None:
    def slow(rgb: Picture) -> Picture:
        time.sleep(0.05)
        return rgb

    engines["test"] = FakeEngine(slow)
    with session_of(source_of(pause_s=0.002), controls=LiveControls(smoothing=0, size=64)) as session:
        slot = session.subscribe("test", depth=1000)
        frames = [next_frame(slot) for _ in range(30)]
        ages_s = []
        for _ in range(10):
            ages_s.append(time.monotonic() - next_frame(slot).captured_s)
        status = session.status()

    assert status.dropped > len(frames)
    # Bounded: it does not grow from frame to frame. Three frames of 50 ms may be on their way.
    assert sorted(ages_s)[len(ages_s) // 2] < 1


def test_a_network_that_is_too_slow_runs_smaller_and_a_size_that_is_given_is_kept(
    engines: dict[str, FakeEngine],
) -> None:
    def slow(rgb: Picture) -> Picture:
        time.sleep(0.1 * rgb.shape[0] / 376)
        return rgb

    engines["test"] = FakeEngine(slow)
    source = source_of(moving((640, 360)), pause_s=0.03)
    with LiveSession(source, style(), settings=LiveSettings(), controls=CONTROLS) as session:
        until(lambda: session.status().inference_size == (640, 360))
        until(lambda: (session.status().inference_size or (0, 0))[1] <= 180)
        session.controls = LiveControls(smoothing=0, size=324)
        until(lambda: session.status().inference_size == (576, 324))
        time.sleep(1.5)  # longer than the governor needs to look
        assert session.status().inference_size == (576, 324)


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


def test_controls_act_from_the_next_frame_on(engines: dict[str, FakeEngine]) -> None:
    half = np.zeros((48, 64, 3), np.uint8)
    half[:, :32] = 200
    pictures = (np.clip(half + index % 8, 0, 255).astype(np.uint8) for index in count())
    with session_of(source_of(pictures)) as session:
        slot = session.subscribe("test")
        session.controls = LiveControls(smoothing=0, strength=0)
        next_frame(slot, lambda frame: np.array_equal(frame.output, frame.input))
        session.controls = LiveControls(smoothing=0, mirror=True)
        next_frame(slot, lambda frame: frame.input[0, 0, 0] < frame.input[0, -1, 0])
        session.controls = LiveControls(smoothing=0, split="side")
        next_frame(slot, lambda frame: frame.output.shape == (48, 128, 3))
        session.controls = LiveControls(smoothing=0, size=64)
        until(lambda: not session.status().is_governed)


def test_still_pictures_are_not_stylised_again(engines: dict[str, FakeEngine]) -> None:
    still = noise(0)
    with session_of(source_of(iter([still] * 200), ends=True)) as session:
        assert session.wait(PATIENCE_S)
        frames = session.status().frames

    assert frames > 10
    assert len(engines["test"].shapes) <= 5  # the first, and what compiles another size


def test_a_mix_that_changes_imperceptibly_is_used_for_still_pictures_too(any_style_catalogue: Path) -> None:
    still = noise(0)
    dark, bright = (StillPicture(np.full((40, 40, 3), level, np.uint8), None, b"", ()) for level in (40, 240))
    settings = LiveSettings(engine="onnxruntime", device="cpu")
    source = source_of(repeat(still))
    with LiveSession(source, choose_style(("invert",)), settings=settings, controls=CONTROLS) as session:
        slot = session.subscribe("test")
        for weight in (0.5, 0.501, 0.499, 1.0):  # the first three have one label
            session.set_pictures([("dark.jpg", dark), ("bright.jpg", bright)], [1 - weight, weight])
            mean = 40 + 200 * weight
            next_frame(slot, lambda frame, mean=mean: abs(frame.output.mean() - mean) < 8)  # type: ignore[misc]
            for _ in range(3):
                next_frame(slot)
        assert session.status().style == "colours: 0 % dark.jpg, 100 % bright.jpg"


def test_a_camera_that_changes_its_size_goes_on(engines: dict[str, FakeEngine]) -> None:
    sizes = [(64, 48), (96, 32), (33, 65)]
    pictures = (noise(index, size=sizes[index // 20 % 3]) for index in count())
    with session_of(source_of(pictures), controls=LiveControls(smoothing=0.8)) as session:
        slot = session.subscribe("test")
        for width, height in sizes * 2:
            shape = (height, width, 3)
            next_frame(slot, lambda frame, shape=shape: frame.output.shape == shape)  # type: ignore[misc]


def test_silence_is_shown_as_a_message_on_the_last_picture(engines: dict[str, FakeEngine]) -> None:
    source = PushSource("phone", silence_s=0.3)
    with session_of(source) as session:
        slot = session.subscribe("test")
        assert next_frame(slot, lambda frame: frame.is_message).output.shape == (720, 1280, 3)

        source.push(np.full((48, 64, 3), 200, np.uint8), time.monotonic())
        assert not next_frame(slot, lambda frame: not frame.is_message).is_message
        message = next_frame(slot, lambda frame: frame.is_message)
        assert message.output.shape == (48, 64, 3)
        assert session.status().message == "no picture comes from the phone"

        source.push(np.full((48, 64, 3), 100, np.uint8), time.monotonic())
        next_frame(slot, lambda frame: not frame.is_message)
        until(lambda: session.status().message == "")


def test_a_stream_that_is_killed_is_told_on_the_picture_and_found_again(engines: dict[str, FakeEngine]) -> None:
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


def test_frames_go_on_while_a_style_loads_and_fade_into_it(
    engines: dict[str, FakeEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    may_load = threading.Event()
    opened = realtime.style_bank.open_style

    def slow_open(model: Style, **options: Any) -> Any:
        assert model.name == "test" or may_load.wait(PATIENCE_S)
        return opened(model, **options)

    engines["other"] = FakeEngine(lambda rgb: np.full_like(rgb, 7))
    monkeypatch.setattr(realtime.style_bank, "open_style", slow_open)
    with session_of(source_of()) as session:
        slot = session.subscribe("test")
        next_frame(slot)
        session.set_style(style("other"))
        for _ in range(20):
            frame = next_frame(slot)
            assert np.array_equal(frame.output, 255 - frame.input)
        assert session.status().is_loading
        may_load.set()
        next_frame(slot, lambda frame: (frame.output == 7).all())
        assert session.status().style == "other"


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


def test_a_full_disk_ends_the_recording_and_nothing_else(
    engines: dict[str, FakeEngine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = count()
    write = VideoFileSink.write

    def until_full(sink: VideoFileSink, frame: Any) -> None:
        if next(written) == 5:
            raise OutputError("cannot write: the disk is full")
        write(sink, frame)

    monkeypatch.setattr(VideoFileSink, "write", until_full)
    with session_of(source_of()) as session:
        slot = session.subscribe("test")
        session.start_recording(tmp_path / "out.mp4")
        until(lambda: "the disk is full" in session.status().message)
        next_frame(slot)
        assert session.status().recording_s is None
        session.start_recording(tmp_path / "again.mkv")
        until(lambda: (session.status().recording_s or 0) > 0.1)
        assert not session.status().message
        assert session.stop_recording() == tmp_path / "again.mkv"


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.mkv", "out.webm"])
def test_a_recording_has_the_times_of_capture(name: str, engines: dict[str, FakeEngine], tmp_path: Path) -> None:
    engines["test"] = FakeEngine()
    pauses_s = iter([0.2, 0.01, 0.15, 0.03] * 100)
    pictures = (time.sleep(next(pauses_s)) or numbered(index) for index in range(16))  # type: ignore[func-returns-value]
    with session_of(source_of(pictures, pause_s=0)) as session:
        slot = session.subscribe("test", depth=1000)
        session.start_recording(tmp_path / name)
        until(lambda: read_number(session.snapshot().input) == 15 if session.snapshot() else False)  # type: ignore[union-attr]
        assert session.stop_recording() == tmp_path / name

    captured_ms = {}
    while (frame := slot.wait(0)) is not None:
        if not frame.is_message:
            captured_ms[read_number(frame.input)] = 1000 * frame.captured_s
    recorded = read_frames(tmp_path / name)
    assert len(recorded) >= 8
    first = read_number(recorded[0].rgb)
    for item in recorded:
        at_ms = captured_ms[read_number(item.rgb)] - captured_ms[first]
        assert 1000 * float(item.pts_s) == pytest.approx(at_ms, abs=1.1)


def test_a_camera_that_changes_its_size_is_recorded_on_at_the_first_size(
    engines: dict[str, FakeEngine], tmp_path: Path
) -> None:
    engines["test"] = FakeEngine()
    red, blue = np.array([200, 0, 0], np.uint8), np.array([0, 0, 200], np.uint8)
    pictures = (np.full((48, 64, 3), red) if index < 20 else np.full((96, 32, 3), blue) for index in range(40))
    with session_of(source_of(pictures, pause_s=0.02)) as session:
        session.start_recording(tmp_path / "out.mp4")
        until(lambda: (snapshot := session.snapshot()) is not None and snapshot.index > 35)
        assert not session.status().message
        session.stop_recording()

    first, *_, last = (item.rgb for item in read_frames(tmp_path / "out.mp4"))
    assert first.shape == last.shape == (48, 64, 3)
    assert first[24, 32, 0] > 150
    assert last[24, 32, 2] > 150
    assert last[24, 4].max() < 50  # what the other shape leaves free


def test_a_microphone_that_is_pulled_out_is_a_message_and_the_recording_goes_on(
    engines: dict[str, FakeEngine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    streams: list[HearingStream] = []

    def open_stream(*arguments: Any) -> HearingStream:
        streams.append(HearingStream(*arguments))
        return streams[-1]

    monkeypatch.setattr(realtime.microphone, "open_stream", open_stream)
    with session_of(source_of(), microphone="auto") as session:
        session.start_recording(tmp_path / "out.mp4")
        until(lambda: (session.status().recording_s or 0) > 0.5)
        assert not session.status().message
        streams[0].pull_out()
        until(lambda: "no sound any more" in session.status().message)
        until(lambda: (session.status().recording_s or 0) > 1.5)
        session.stop_recording()
        session.start_recording(tmp_path / "again.mp4")
        assert not session.status().message

    assert read_frames(tmp_path / "out.mp4")[-1].pts_s > 1.4
    with av.open(str(tmp_path / "out.mp4")) as container:
        heard = sum(frame.samples for frame in container.decode(audio=0)) / 48_000
    assert 0.2 < heard < 1.2


def test_a_microphone_that_is_not_there_is_no_recording(
    engines: dict[str, FakeEngine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise InputError("there is no such microphone")

    monkeypatch.setattr(realtime.microphone, "open_stream", refuse)
    with session_of(source_of(), microphone="C920") as session:
        with pytest.raises(InputError, match="no such microphone"):
            session.start_recording(tmp_path / "out.mp4")
        assert session.status().recording_s is None
        assert not session.status().sinks
    assert not list(tmp_path.iterdir())


def test_only_one_recording_at_a_time_and_none_over_a_file(engines: dict[str, FakeEngine], tmp_path: Path) -> None:
    (tmp_path / "there.mp4").write_bytes(b"precious")
    with session_of(source_of()) as session:
        for path, message in [("there.mp4", "exists"), ("out.avi", "must end in"), ("missing/out.mp4", "folder")]:
            with pytest.raises((UsageError, OutputError), match=message):
                session.start_recording(tmp_path / path)
        session.start_recording(tmp_path / "out.mp4")
        with pytest.raises(UsageError, match="already"):
            session.start_recording(tmp_path / "other.mp4")
        assert session.stop_recording() == tmp_path / "out.mp4"
        assert session.stop_recording() is None
        assert [sink.name for sink in session.status().sinks] == []

    assert (tmp_path / "there.mp4").read_bytes() == b"precious"


def test_a_long_run_keeps_no_frames(engines: dict[str, FakeEngine]) -> None:
    source = source_of((numbered(index % 256) for index in range(2000)), pause_s=0, ends=True)
    with session_of(source) as session:
        session.subscribe("hangs")
        assert session.wait(PATIENCE_S)
        gc.collect()
        # Not isinstance, which makes lazy objects of other libraries warn.
        kept = [item for item in gc.get_objects() if type(item) is LiveFrame]

    assert len(kept) <= 4
