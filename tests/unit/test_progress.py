"""How a job is shown: lines, JSON lines or a bar, at most as often as stated."""

import io
import json
from pathlib import Path

import pytest

from realtime.errors import OutputError
from realtime.job_report import JobListener, JobStart
from realtime.progress import (
    JSON_INTERVAL_S,
    LINE_INTERVAL_S,
    BarProgress,
    JsonProgress,
    LineProgress,
    NoProgress,
    make_listener,
    summary,
)

from .fakes import job_report

REPORT = job_report()


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _start(listener: JobListener, frames_expected: int | None = 50, *, frames_before: int = 0) -> None:
    listener.started(
        JobStart(
            input_path=Path("in.mp4"),
            output_path=Path("out.mp4"),
            style="great-wave",
            engine="a fake engine",
            frames_expected=frames_expected,
            frames_before=frames_before,
        )
    )


def _advance(listener: JobListener, clock: Clock, *, frames_per_s: int, seconds: int) -> None:
    for frame in range(1, frames_per_s * seconds + 1):
        clock.now_s = 100.0 + frame / frames_per_s
        listener.advanced(frame)


def test_lines_come_at_the_start_in_the_interval_and_at_the_end() -> None:
    stream, clock = io.StringIO(), Clock()
    listener = LineProgress(stream, interval_s=LINE_INTERVAL_S, clock=clock)

    _start(listener, frames_expected=500)
    _advance(listener, clock, frames_per_s=10, seconds=12)
    listener.finished(REPORT)

    assert stream.getvalue().splitlines() == [
        "in.mp4 -> out.mp4, great-wave, a fake engine",
        "50 of 500 frames, 10.0 fps, 45 s left",
        "100 of 500 frames, 10.0 fps, 40 s left",
        "out.mp4: 50 frames in 4.0 s, 12.5 fps; a fake engine; libx264, peak memory 123 MB",
    ]


def test_frames_of_an_earlier_run_are_no_pace_of_this_one() -> None:
    stream, clock = io.StringIO(), Clock()
    listener = LineProgress(stream, interval_s=LINE_INTERVAL_S, clock=clock)

    _start(listener, frames_expected=1000, frames_before=800)
    for frames in range(1, 71):
        clock.now_s = 100.0 + frames / 10
        listener.advanced(800 + frames)
    listener.finished(job_report(frames=1000, frames_before=800, run_s=20.0))

    assert stream.getvalue().splitlines() == [
        "in.mp4 -> out.mp4, great-wave, a fake engine, going on after 800 frames",
        "850 of 1000 frames, 10.0 fps, 15 s left",
        "out.mp4: 1000 frames (800 of them before) in 20.0 s, 10.0 fps; a fake engine; libx264, peak memory 123 MB",
    ]


def test_bar_begins_where_an_earlier_run_has_ended() -> None:
    stream = Terminal()
    listener = BarProgress(stream)

    _start(listener, frames_before=40)
    listener.close()

    assert "40/50" in stream.getvalue()


@pytest.mark.parametrize(("expected", "line"), [(None, "50 frames, 10.0 fps"), (20, "50 of 20 frames, 10.0 fps")])
def test_no_rest_is_told_when_the_number_of_frames_is_unknown_or_wrong(expected: int | None, line: str) -> None:
    stream, clock = io.StringIO(), Clock()
    listener = LineProgress(stream, interval_s=LINE_INTERVAL_S, clock=clock)

    _start(listener, frames_expected=expected)
    _advance(listener, clock, frames_per_s=10, seconds=6)

    assert stream.getvalue().splitlines()[1:] == [line]


def test_second_job_is_measured_from_its_own_start() -> None:
    stream, clock = io.StringIO(), Clock()
    listener = LineProgress(stream, interval_s=5, clock=clock)
    _start(listener)
    clock.now_s += 1000

    _start(listener, frames_expected=None)
    for frames in (1, 10):
        clock.now_s += 2.5
        listener.advanced(frames)

    assert stream.getvalue().splitlines()[-1] == "10 frames, 2.0 fps"


def test_what_comes_before_the_first_frame_does_not_count() -> None:
    stream, clock = io.StringIO(), Clock()
    listener = LineProgress(stream, interval_s=5, clock=clock)
    _start(listener, frames_expected=100)

    for frames, after_s in ((1, 600), (51, 5)):
        clock.now_s += after_s
        listener.advanced(frames)

    assert stream.getvalue().splitlines()[1:] == ["51 of 100 frames, 10.0 fps, 5 s left"]


def test_notes_and_corrupt_packets_are_told_before_the_summary() -> None:
    stream = io.StringIO()

    LineProgress(stream, interval_s=5).finished(job_report(notes=("no audio",), corrupt_packets=3))

    lines = stream.getvalue().splitlines()
    assert lines[0] == "note: no audio"
    assert lines[1].startswith("note: 3 corrupt packets")
    assert lines[2] == summary(REPORT)


def test_summary_without_memory_or_time_says_so_little() -> None:
    text = summary(job_report(peak_memory_mb=None, run_s=0.0))

    assert text == "out.mp4: 50 frames in 0.0 s, 0.0 fps; a fake engine; libx264"


def test_json_lines_are_objects_of_three_kinds() -> None:
    stream, clock = io.StringIO(), Clock()
    listener = JsonProgress(stream, clock=clock)

    _start(listener, frames_expected=40)
    _advance(listener, clock, frames_per_s=20, seconds=1)
    listener.finished(job_report(notes=("no audio",)))

    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [event["event"] for event in events] == ["started", "progress", "progress", "finished"]
    assert events[0]["input"] == "in.mp4"
    assert events[1] == {"event": "progress", "frames": 10, "frames_expected": 40, "fps": 20.0, "eta_s": 1.5}
    assert events[3]["notes"] == ["no audio"]
    assert events[3]["frames_per_s"] == 12.5
    assert set(REPORT.__dataclass_fields__) <= set(events[3])


def test_json_progress_comes_no_more_often_than_stated() -> None:
    stream, clock = io.StringIO(), Clock()
    listener = JsonProgress(stream, clock=clock)

    _start(listener, frames_expected=None)
    _advance(listener, clock, frames_per_s=64, seconds=10)

    events = [json.loads(line) for line in stream.getvalue().splitlines()][1:]
    assert len(events) == 10 / JSON_INTERVAL_S
    assert {event["eta_s"] for event in events} == {None}


def test_bar_shows_engine_and_total_and_leaves_only_the_lines() -> None:
    stream = Terminal()
    listener = BarProgress(stream)

    _start(listener)
    for frame in (10, 50):
        listener.advanced(frame)
    shown = stream.getvalue()
    listener.finished(REPORT)

    assert "a fake engine" in shown
    assert "/50" in shown
    assert stream.getvalue().endswith(f"{summary(REPORT)}\n")


def test_bar_may_start_again_after_a_job_that_failed() -> None:
    stream = Terminal()
    listener = BarProgress(stream)
    _start(listener)
    listener.advanced(3)

    _start(listener)
    listener.advanced(7)
    listener.finished(REPORT)

    assert stream.getvalue().count("in.mp4 -> out.mp4") == 2


def test_bar_of_a_job_that_failed_is_gone_before_the_command_says_why() -> None:
    stream = Terminal()
    listener = BarProgress(stream)
    _start(listener)
    listener.advanced(3)

    listener.failed(Path("in.mp4"), OutputError("the disk is full"))

    assert not stream.getvalue().splitlines()[-1].strip()
    assert "the disk is full" not in stream.getvalue()


def test_json_tells_a_failure() -> None:
    stream = io.StringIO()

    JsonProgress(stream).failed(Path("in.mp4"), OutputError("the disk is full"))

    assert json.loads(stream.getvalue()) == {"event": "failed", "input": "in.mp4", "error": "the disk is full"}


@pytest.mark.parametrize("kind", ["auto", "bar", "lines", "json", "none"])
def test_listener_may_be_closed_at_any_time(kind: str) -> None:
    listener = make_listener(kind, stream=Terminal(), json_stream=io.StringIO())

    listener.close()
    _start(listener)
    listener.close()
    listener.close()


@pytest.mark.parametrize(
    ("kind", "stream", "listener"),
    [
        ("auto", Terminal(), BarProgress),
        ("auto", io.StringIO(), LineProgress),
        ("bar", io.StringIO(), BarProgress),
        ("lines", Terminal(), LineProgress),
        ("none", Terminal(), NoProgress),
        ("json", Terminal(), JsonProgress),
    ],
)
def test_kind_of_progress_follows_the_option_and_the_terminal(kind: str, stream: io.StringIO, listener: type) -> None:
    assert type(make_listener(kind, stream=stream)) is listener


def test_json_and_text_go_to_streams_of_their_own() -> None:
    text, json_text = io.StringIO(), io.StringIO()

    make_listener("json", stream=text, json_stream=json_text).finished(REPORT)

    assert not text.getvalue()
    assert json.loads(json_text.getvalue())["event"] == "finished"


def test_none_says_nothing() -> None:
    text, json_text = Terminal(), io.StringIO()
    listener = make_listener("none", stream=text, json_stream=json_text)

    _start(listener)
    listener.advanced(1)
    listener.finished(REPORT)
    listener.failed(Path("in.mp4"), OutputError("the disk is full"))
    listener.close()

    assert (text.getvalue(), json_text.getvalue()) == ("", "")
