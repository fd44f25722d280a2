"""`--resume`: a job that was stopped, by whatever, goes on to the file that it would have made."""

import os
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from realtime import encoded_journal
from realtime.cli_video import main
from realtime.errors import UsageError
from realtime.progress import NoProgress
from realtime.settings import Controls, Settings
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
from pathlib import Path
from realtime import encoded_journal
from realtime.cli_video import main
from realtime.video_job import VideoJobs

encoded_journal.COMMIT_INTERVAL_S = 0.0
checks = iter(range(int(sys.argv.pop(1))))
run = VideoJobs.__init__
def init(jobs, *arguments, **options):
    options["check_stop"] = lambda: next(checks, None) is None and os._exit(9)
    run(jobs, *arguments, **options)
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


def _stopping(after: int) -> Callable[[], None]:
    """Return a check that stops a job at its `after`-th call."""
    calls = iter(range(after))

    def check() -> None:
        if next(calls, None) is None:
            raise KeyboardInterrupt

    return check


def _run(source: Path, output: Path, style: Path, *, stop_after: int | None = None, **options: Any) -> Any:
    settings = Settings(**{**OPTIONS, **options})
    check = _stopping(stop_after) if stop_after is not None else lambda: None
    with VideoJobs(choose_style((str(style),)), settings, Controls(), check_stop=check) as jobs:
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


@pytest.mark.parametrize(
    ("suffix", "codec", "audio"), [(".webm", "vp9", False), (".mkv", "hevc", True), (".mkv", "av1", True)]
)
def test_encoders_that_look_ahead_lose_no_frame(
    suffix: str, codec: str, audio: bool, tmp_path: Path, identity_style: Path
) -> None:
    source = write_clip(tmp_path / "in.mp4", frames=60, size=(128, 96), audio=audio)
    options = {"codec": codec, "crf": None, "pix_fmt": None, "resume": True}

    with pytest.raises(KeyboardInterrupt):
        _run(source, tmp_path / f"out{suffix}", identity_style, stop_after=40, **options)
    report = _run(source, tmp_path / f"out{suffix}", identity_style, **options)

    assert numbers(tmp_path / f"out{suffix}") == list(range(60))
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


def test_another_strength_is_refused_and_nothing_is_lost(
    clip: Path, tmp_path: Path, identity_style: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(KeyboardInterrupt):
        _run(clip, tmp_path / "out.mp4", identity_style, stop_after=STOPPED_AT, resume=True)
    before = (tmp_path / "out.mp4.unfinished").read_bytes()

    arguments = ["--style", str(identity_style), "--resume", "--crf", "1", "--pix-fmt", "yuv444p"]
    code = main([str(clip), str(tmp_path / "out.mp4"), *arguments, "--engine", "onnxruntime", "--device", "cpu"])

    assert code == 2
    assert "is of another job: crf (was 0, is 1)" in capsys.readouterr().err
    assert (tmp_path / "out.mp4.unfinished").read_bytes() == before
    assert not (tmp_path / "out.mp4").exists()


def test_a_job_that_cannot_be_finished_keeps_what_it_made(
    clip: Path, tmp_path: Path, identity_style: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoded_journal.EncodedJournal, "remove", _full_disk)
    with pytest.raises(Exception, match="No space left"):
        _run(clip, tmp_path / "out.mp4", identity_style, resume=True)
    monkeypatch.undo()
    (tmp_path / "out.mp4").unlink(missing_ok=True)

    assert _run(clip, tmp_path / "out.mp4", identity_style, resume=True).frames_before == FRAMES
    assert len(read_frames(tmp_path / "out.mp4")) == FRAMES


def _full_disk(journal: object) -> None:
    raise OSError(28, "No space left on device")


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
