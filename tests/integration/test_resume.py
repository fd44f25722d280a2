"""`--resume`: a job that was stopped, by whatever, goes on to the file that it would have made."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from realtime.cli_video import main
from realtime.encoded_journal import journal_path
from realtime.errors import OutputError, UsageError
from realtime.progress import NoProgress
from realtime.settings import Controls, Settings
from realtime.stream_copy import StreamCopier
from realtime.style_choice import choose_style
from realtime.video_job import VideoJobs
from realtime.video_source import VideoFileSource
from tests.media import numbers, read_frames, streams_of, write_clip

FRAMES = 90
# Of the input; the network's pool and the smoother have seen a few more.
STOPPED_AT = 60
OPTIONS: dict[str, Any] = {"engine": "onnxruntime", "device": "cpu", "crf": 0, "pix_fmt": "yuv444p"}
KILLED = """
import os, sys
from realtime import encoded_journal
from realtime.cli_video import main
from realtime.video_job import VideoJobs

encoded_journal.COMMIT_INTERVAL_S = 0.0
checks = iter(range(int(sys.argv.pop(1))))
begin = VideoJobs.__init__
def init(jobs, *arguments, **options):
    options["check_stop"] = lambda: next(checks, None) is None and os._exit(9)
    begin(jobs, *arguments, **options)
VideoJobs.__init__ = init
sys.exit(main())
"""


def _moving(number: int, size: tuple[int, int]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return soft texture that drifts, with a cut in the middle, so that smoothing has something to remember."""
    width, height = size
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    phase = 0.7 * number + (40 if number >= FRAMES // 2 else 0)
    waves = [np.sin((x + phase) / scale) + np.cos((y - phase / 2) / scale) for scale in (3, 5, 9)]
    return np.clip(128 + 30 * np.dstack(waves), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "in.mp4", frames=FRAMES, size=(96, 64), picture=_moving)


def _full_disk(copier: object, output: object) -> None:
    raise OSError(28, "No space left on device")


def _stopping(after: int) -> Callable[[], None]:
    """Return a check that stops a job at its `after`-th call."""
    calls = iter(range(after))

    def check() -> None:
        if next(calls, None) is None:
            raise KeyboardInterrupt

    return check


def _run(
    source: Path,
    output: Path,
    style: Path,
    *,
    stop_after: int | None = None,
    controls: Controls = Controls(),  # noqa: B008 - frozen
    **options: Any,
) -> Any:
    settings = Settings(**{**OPTIONS, **options})
    check = _stopping(stop_after) if stop_after is not None else lambda: None
    with VideoJobs(choose_style((str(style),)), settings, controls, check_stop=check) as jobs:
        return jobs.run(source, output, NoProgress())


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_a_job_that_was_stopped_twice_ends_as_one_that_was_not(
    suffix: str, clip: Path, tmp_path: Path, invert_style: Path
) -> None:
    whole, made = tmp_path / f"whole{suffix}", tmp_path / f"made{suffix}"
    _run(clip, whole, invert_style)

    with pytest.raises(KeyboardInterrupt):
        _run(clip, made, invert_style, stop_after=20, resume=True)
    with pytest.raises(KeyboardInterrupt):
        _run(clip, made, invert_style, stop_after=STOPPED_AT, resume=True)
    kept = sorted(path.name for path in tmp_path.iterdir())
    report = _run(clip, made, invert_style, resume=True)

    assert kept == [f"made{suffix}.unfinished", whole.name]
    assert sorted(path.name for path in tmp_path.iterdir()) == [made.name, whole.name]
    assert report.frames == FRAMES
    assert STOPPED_AT // 2 < report.frames_before < FRAMES
    frames, expected = read_frames(made), read_frames(whole)
    assert [(frame.pts_s, frame.duration_s) for frame in frames] == [
        (frame.pts_s, frame.duration_s) for frame in expected
    ]
    differences = [np.abs(one.rgb.astype(int) - other.rgb).max() for one, other in zip(frames, expected, strict=True)]
    assert max(differences) <= 1
    for kind in ("audio", "subtitle"):
        assert [stream.packets for stream in streams_of(made, kind)] == [
            stream.packets for stream in streams_of(whole, kind)
        ]


def test_masks_of_people_are_steadied_on_from_what_was_made(
    clip: Path, tmp_path: Path, invert_style: Path, people_network: Path
) -> None:
    whole, made = tmp_path / "whole.mp4", tmp_path / "made.mp4"
    controls = Controls(paint="people")
    _run(clip, whole, invert_style, controls=controls)

    with pytest.raises(KeyboardInterrupt):
        _run(clip, made, invert_style, stop_after=STOPPED_AT, controls=controls, resume=True)
    report = _run(clip, made, invert_style, controls=controls, resume=True)

    assert report.frames_before > 0
    pairs = zip(read_frames(made), read_frames(whole), strict=True)
    assert max(np.abs(one.rgb.astype(int) - other.rgb).max() for one, other in pairs) <= 1


@pytest.mark.parametrize(
    ("suffix", "codec", "audio"), [(".webm", "vp9", False), (".mkv", "hevc", True), (".mkv", "av1", True)]
)
def test_encoders_that_look_ahead_lose_no_frame(
    suffix: str, codec: str, audio: bool, tmp_path: Path, identity_style: Path
) -> None:
    source = write_clip(tmp_path / "in.mp4", frames=120, size=(128, 96), audio=audio)
    options = {"codec": codec, "crf": None, "pix_fmt": None, "resume": True}

    with pytest.raises(KeyboardInterrupt):
        _run(source, tmp_path / f"out{suffix}", identity_style, stop_after=110, **options)
    report = _run(source, tmp_path / f"out{suffix}", identity_style, **options)

    assert numbers(tmp_path / f"out{suffix}") == list(range(120))
    assert report.frames_before > 20


def test_variable_times_are_kept(tmp_path: Path, identity_style: Path) -> None:
    pts = [0, 100, 150, 151, 400, 1000, 1001, 1500, 1900, 2400]
    source = write_clip(tmp_path / "in.mp4", pts=pts, time_base=Fraction(1, 1000))
    _run(source, tmp_path / "whole.mp4", identity_style)

    with pytest.raises(KeyboardInterrupt):
        _run(source, tmp_path / "out.mp4", identity_style, stop_after=6, resume=True)
    _run(source, tmp_path / "out.mp4", identity_style, resume=True)

    (made,), (whole,) = (streams_of(tmp_path / name, "video") for name in ("out.mp4", "whole.mp4"))
    assert [packet.pts_s for packet in made.packets] == [Fraction(time, 1000) for time in pts]
    assert [packet.duration_s for packet in made.packets] == [packet.duration_s for packet in whole.packets]


def test_a_killed_job_goes_on_and_its_hidden_file_is_removed(
    clip: Path, tmp_path: Path, identity_style: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(clip), str(tmp_path / "out.mp4"), "--style", str(identity_style), "--resume"]
    arguments += ["--engine", "onnxruntime", "--device", "cpu", "--progress", "lines"]
    command = [sys.executable, "-c", KILLED, str(STOPPED_AT), *arguments]
    assert subprocess.run(command, stderr=subprocess.PIPE, timeout=60).returncode == 9
    assert len(list(tmp_path.glob(".*.part"))) == 1

    assert main(arguments) == 0

    assert os.listdir(tmp_path) == ["out.mp4"]
    assert len(read_frames(tmp_path / "out.mp4")) == FRAMES
    told = capsys.readouterr().err
    assert "going on after" in told
    assert "of them before) in" in told


@pytest.mark.parametrize(
    ("options", "told"),
    [(["--crf", "1", "--pix-fmt", "yuv444p"], "encoder (was"), (["--shifts", "2"], "shifts (was 1, is 2)")],
)
def test_another_quality_is_refused_and_nothing_is_lost(
    options: list[str],
    told: str,
    clip: Path,
    tmp_path: Path,
    identity_style: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(KeyboardInterrupt):
        _run(clip, tmp_path / "out.mp4", identity_style, stop_after=STOPPED_AT, resume=True)

    arguments = ["--style", str(identity_style), "--resume", *options]
    code = main([str(clip), str(tmp_path / "out.mp4"), *arguments, "--engine", "onnxruntime", "--device", "cpu"])

    assert code == 2
    error = capsys.readouterr().err
    assert "is of another job" in error
    assert told in error
    assert os.listdir(tmp_path) == ["out.mp4.unfinished"]
    assert _run(clip, tmp_path / "out.mp4", identity_style, resume=True).frames_before > STOPPED_AT // 2


def test_a_job_that_cannot_be_finished_keeps_what_it_made(
    clip: Path, tmp_path: Path, identity_style: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(StreamCopier, "copy_rest", _full_disk)
        with pytest.raises(OutputError, match="the disk is full"):
            _run(clip, tmp_path / "out.mp4", identity_style, resume=True)

    assert os.listdir(tmp_path) == ["out.mp4.unfinished"]
    report = _run(clip, tmp_path / "out.mp4", identity_style, resume=True)
    assert (report.frames_before, report.frames) == (FRAMES, FRAMES)
    assert report.duration_s == FRAMES / 25
    assert len(read_frames(tmp_path / "out.mp4")) == FRAMES


def test_times_go_on_where_frames_are_missing_behind_the_seam(tmp_path: Path, identity_style: Path) -> None:
    """An encoder that reorders begins by as much before its first frame as its first frames lie apart."""
    pts = [*range(30), *range(60, 90)]
    source = write_clip(tmp_path / "in.mp4", pts=pts)
    options = {"encoder_options": (("bf", "3"),), "resume": True}

    for after in (29, 30, 31):
        output = tmp_path / f"{after}.mp4"
        with pytest.raises(KeyboardInterrupt):
            _run(source, output, identity_style, stop_after=after, **options)
        _run(source, output, identity_style, **options)

        assert [frame.pts_s * 25 for frame in read_frames(output)] == pts


@pytest.mark.parametrize("kept", [17, 18, 19, 20, 21])
def test_a_journal_that_ends_within_a_group_of_reordered_frames(
    kept: int, tmp_path: Path, identity_style: Path
) -> None:
    source, output = write_clip(tmp_path / "in.mp4", frames=40, size=(128, 96)), tmp_path / "out.mp4"
    with pytest.raises(KeyboardInterrupt):
        _run(source, output, identity_style, stop_after=39, resume=True, crf=20, pix_fmt=None)
    with closing(sqlite3.connect(journal_path(output))) as journal:
        journal.execute("DELETE FROM packets WHERE number >= ?", [kept])
        journal.commit()

    report = _run(source, output, identity_style, resume=True, crf=20, pix_fmt=None)

    assert kept - 4 < report.frames_before <= kept
    assert numbers(output) == list(range(40))


def test_a_still_picture_goes_on_as_it_stood(tmp_path: Path, invert_style: Path) -> None:
    """What is reused and what is remembered of a picture that stands still may be of any time before."""

    def brightening(number: int, size: tuple[int, int]) -> np.ndarray[Any, np.dtype[np.uint8]]:
        return (_moving(0, size) // 2 + min(number, 40)).astype(np.uint8)

    source = write_clip(tmp_path / "in.mp4", frames=150, size=(96, 64), picture=brightening, options={"qp": "0"})
    _run(source, tmp_path / "whole.mp4", invert_style)
    with pytest.raises(KeyboardInterrupt):
        _run(source, tmp_path / "made.mp4", invert_style, stop_after=130, resume=True)

    report = _run(source, tmp_path / "made.mp4", invert_style, resume=True)

    assert report.frames_before > 100
    for one, other in zip(read_frames(tmp_path / "made.mp4"), read_frames(tmp_path / "whole.mp4"), strict=True):
        assert np.abs(one.rgb.astype(int) - other.rgb).max() <= 1


def test_cuts_before_and_behind_the_seam_are_reported_once(tmp_path: Path, identity_style: Path) -> None:
    def scenes(number: int, size: tuple[int, int]) -> np.ndarray[Any, np.dtype[np.uint8]]:
        texture = np.random.default_rng(number // 20).integers(0, 256, (size[1] // 8, size[0] // 8, 3), dtype=np.uint8)
        return np.kron(texture, np.ones((8, 8, 1), dtype=np.uint8))

    source = write_clip(tmp_path / "in.mp4", frames=80, size=(160, 96), picture=scenes)
    whole = _run(source, tmp_path / "whole.mp4", identity_style)
    with pytest.raises(KeyboardInterrupt):
        _run(source, tmp_path / "made.mp4", identity_style, stop_after=50, resume=True)

    assert _run(source, tmp_path / "made.mp4", identity_style, resume=True).cuts == whole.cuts
    assert [cut.frame for cut in whole.cuts] == [20, 40, 60]


def test_the_same_contents_by_other_words_go_on(clip: Path, tmp_path: Path, identity_style: Path) -> None:
    source = tmp_path / "in.mp4"
    source.write_bytes(clip.read_bytes())
    with pytest.raises(KeyboardInterrupt):
        _run(source, tmp_path / "out.mp4", identity_style, stop_after=STOPPED_AT, resume=True, crf=20)
    os.utime(source, (1, 1))
    style = tmp_path / "folder" / ".." / identity_style.name
    (tmp_path / "folder").mkdir()
    (tmp_path / identity_style.name).write_bytes(identity_style.read_bytes())

    report = _run(source, tmp_path / "out.mp4", style, resume=True, crf=None, preset="veryfast", overwrite=True)

    assert report.frames_before > 0


def test_what_is_kept_is_told(
    clip: Path,
    tmp_path: Path,
    identity_style: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(StreamCopier, "copy_rest", _full_disk)
    arguments = [str(clip), str(tmp_path / "out.mp4"), "--style", str(identity_style), "--resume"]

    assert main([*arguments, "--engine", "onnxruntime", "--device", "cpu"]) == 1

    assert "is kept in" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"), [({"measure": True}, "--measure needs all frames"), ({}, "is for jobs with a --style")]
)
def test_what_cannot_go_on_is_refused(
    options: dict[str, Any], message: str, clip: Path, tmp_path: Path, identity_style: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    if options:
        with pytest.raises(UsageError, match=message):
            _run(clip, tmp_path / "out.mp4", identity_style, resume=True, **options)
        return

    assert main([str(clip), str(tmp_path / "out.mp4"), "--keyframes", str(tmp_path), "--resume"]) == 2

    assert message in capsys.readouterr().err


def test_frames_that_are_skipped_keep_their_numbers_and_times(clip: Path) -> None:
    with VideoFileSource(clip) as source:
        every = [(frame.index, frame.pts_s) for frame in source]
    with VideoFileSource(clip) as source:
        for _ in range(7):
            source.skip_frame()
        rest = [(frame.index, frame.pts_s) for frame in source]

    assert rest == every[7:]
