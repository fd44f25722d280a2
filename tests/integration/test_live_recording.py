"""Recordings of live runs: times, sound, and what may fail without an end of the run."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

import realtime.live_session
import realtime.microphone
from realtime.errors import InputError, OutputError, UsageError
from realtime.live_source import PushSource
from realtime.output_file import OutputFile
from realtime.video_sink import VideoFileSink
from tests.live import HearingStream, until
from tests.live_run import next_frame, session_of, source_of
from tests.media import numbered, read_frames, read_number
from tests.unit.fakes import FakeEngine

pytestmark = pytest.mark.usefixtures("no_thread_is_left")


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


def test_of_two_who_start_a_recording_at_once_one_is_refused(
    engines: dict[str, FakeEngine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = realtime.live_session.Recorder

    def slow(*arguments: Any, **options: Any) -> Any:
        time.sleep(0.2)  # as a microphone takes it
        return opened(*arguments, **options)

    monkeypatch.setattr(realtime.live_session, "Recorder", slow)
    with session_of(source_of()) as session, ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(session.start_recording, tmp_path / name) for name in ("a.mp4", "b.mp4")]
        errors = [future.exception() for future in asked]

        assert [type(error) for error in errors if error] == [UsageError]
        assert len(session.status().sinks) == 1
        assert session.stop_recording() is not None


def test_frames_that_a_recording_lacks_are_told(
    engines: dict[str, FakeEngine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = VideoFileSink.write

    def slow(sink: VideoFileSink, frame: Any) -> None:
        time.sleep(0.5)
        written(sink, frame)

    monkeypatch.setattr(VideoFileSink, "write", slow)
    monkeypatch.setattr(realtime.live_session, "RECORDING_DEPTH", 1)
    with session_of(source_of()) as session:
        session.start_recording(tmp_path / "out.mp4")
        until(lambda: (session.status().recording_s or 0) > 0.5)
        session.stop_recording()

        assert not session.recording_fault
        assert re.search(r"\d+ frames are missing in .*out\.mp4: the encoder was too slow", session.status().message)


def test_a_recording_to_which_no_picture_came_is_told(engines: dict[str, FakeEngine], tmp_path: Path) -> None:
    with session_of(PushSource("phone")) as session:
        session.start_recording(tmp_path / "out.mp4")

        assert session.stop_recording() is None
        assert session.recording_fault.startswith("the recording has ended: no picture came")
        assert not list(tmp_path.iterdir())


def test_a_recording_that_cannot_be_finished_is_told(
    engines: dict[str, FakeEngine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: VideoFileSink) -> None:
        raise OutputError("cannot write: the disk is full")

    monkeypatch.setattr(VideoFileSink, "finish", fail)
    with session_of(source_of()) as session:
        session.start_recording(tmp_path / "out.mp4")
        until(lambda: (session.status().recording_s or 0) > 0.1)

        assert session.stop_recording() == tmp_path / "out.mp4", "its pieces play"
        assert session.status().message == "the recording has ended: cannot write: the disk is full"


def test_a_recording_that_ended_by_itself_is_still_offered(
    engines: dict[str, FakeEngine], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = VideoFileSink.write

    def fill_the_disk(sink: VideoFileSink, frame: Any) -> None:
        if frame.pts_s > 0.3:
            raise OutputError("cannot write: the disk is full")
        written(sink, frame)

    monkeypatch.setattr(VideoFileSink, "write", fill_the_disk)
    with session_of(source_of()) as session:
        assert session.recorded is None
        session.start_recording(tmp_path / "out.mp4")
        until(lambda: session.recording_fault)
        until(lambda: session.recorded)

        assert session.recorded == tmp_path / "out.mp4"
        assert session.stop_recording() is None


def test_only_one_recording_at_a_time_and_none_over_a_file(engines: dict[str, FakeEngine], tmp_path: Path) -> None:
    (tmp_path / "there.mp4").write_bytes(b"precious")
    with session_of(source_of()) as session:
        for path, message in [("there.mp4", "exists"), ("out.avi", "must end in"), ("missing/out.mp4", "folder")]:
            with pytest.raises((UsageError, OutputError), match=message):
                session.start_recording(tmp_path / path)
        session.start_recording(tmp_path / "out.mp4")
        with pytest.raises(UsageError, match="already"):
            session.start_recording(tmp_path / "other.mp4")
        until(lambda: (session.status().recording_s or 0) > 0)
        assert session.stop_recording() == tmp_path / "out.mp4"
        assert session.stop_recording() is None
        assert [sink.name for sink in session.status().sinks] == []

    assert (tmp_path / "there.mp4").read_bytes() == b"precious"


def test_who_finds_a_file_there_does_not_remove_it(tmp_path: Path) -> None:
    (tmp_path / "out.mp4").touch()  # of a recording that has just begun

    OutputFile(tmp_path / "out.mp4", overwrite=False, in_place=True).close()

    assert (tmp_path / "out.mp4").exists()
