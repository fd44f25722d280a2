"""`stylize-webcam` as people start it: exit codes, one line for each fault, recordings that survive, the window."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

import realtime.microphone
from realtime.cli_webcam import main
from realtime.errors import InputError
from tests.live import PATIENCE_S, noise, until
from tests.media import read_frames, write_clip

COMMAND = [sys.executable, "-c", "import sys; from realtime.cli_webcam import main; sys.exit(main())"]
OPTIONS = ["--engine", "onnxruntime", "--device", "cpu", "--smoothing", "0", "--no-window"]
# What a kill may cost: the fragment that was being written, and what the encoder still held.
LOST_S = 2.5


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "in.mp4", frames=50, audio=False)


def _run(*arguments: object, style: Path) -> int:
    return main([*map(str, arguments), "--style", str(style), *OPTIONS])


def _start(*arguments: object, style: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments), "--style", str(style), *OPTIONS], stderr=subprocess.PIPE, text=True
    )


def test_a_video_is_played_in_real_time_recorded_and_reported(
    clip: Path, invert_style: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    started_s = time.monotonic()
    code = _run(clip, "--record", tmp_path / "out.mkv", "--report", tmp_path / "report.json", style=invert_style)

    assert code == 0
    assert time.monotonic() - started_s >= 49 / 25
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["frames"] + report["dropped"] >= 45
    assert report["frame_size"] == [64, 48]
    assert report["latency"]["p95_ms"] > 0
    assert f"{report['frames']} frames" in capsys.readouterr().err
    recorded = read_frames(tmp_path / "out.mkv")
    assert recorded[0].pts_s == 0
    assert all(earlier.pts_s < later.pts_s for earlier, later in pairwise(recorded))


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_killed_run_leaves_a_recording_that_plays(
    suffix: str, clip: Path, identity_style: Path, tmp_path: Path
) -> None:
    target = tmp_path / f"out{suffix}"
    with _start(clip, "--loop", "--record", target, style=identity_style) as run:
        until(lambda: (target.exists() and target.stat().st_size > 2000) or run.poll() is not None)
        began_s = time.monotonic()
        time.sleep(LOST_S + 1)
        run.kill()
        run.wait(PATIENCE_S)
        lasted_s = time.monotonic() - began_s

    recorded = read_frames(target)
    assert recorded[-1].pts_s >= lasted_s - LOST_S
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("out")] == [target.name]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_finishes_its_recording(
    number: signal.Signals, code: int, clip: Path, identity_style: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out.mp4"
    report = tmp_path / "report.json"
    with _start(clip, "--loop", "--record", target, "--report", report, style=identity_style) as run:
        until(lambda: (target.exists() and target.stat().st_size > 2000) or run.poll() is not None)
        run.send_signal(number)
        errors = run.communicate(timeout=PATIENCE_S)[1]

    assert run.returncode == code
    assert errors.strip().splitlines()[-1] == "stylize-webcam: stopped"
    assert len(read_frames(target)) > 1
    assert json.loads(report.read_text())["frames"] > 1


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX limits")
def test_a_full_disk_ends_the_recording_with_a_line_and_not_the_run(
    clip: Path, identity_style: Path, tmp_path: Path
) -> None:
    import resource

    limit = 100_000
    noisy = write_clip(
        tmp_path / "noisy.mp4",
        frames=75,
        audio=False,
        size=(160, 120),
        picture=lambda index, size: noise(index, size=size),
    )
    done = subprocess.run(
        [*COMMAND, str(noisy), "--record", str(tmp_path / "out.mp4"), "--report", str(tmp_path / "report.json"),
         "--style", str(identity_style), *OPTIONS],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )  # fmt: skip

    assert done.returncode == 1
    assert "the recording has ended: cannot write" in done.stderr
    assert "the disk is full" in done.stderr
    assert json.loads((tmp_path / "report.json").read_text())["frames"] > 20


def test_the_run_stops_after_the_time_given(clip: Path, identity_style: Path) -> None:
    assert _run(clip, "--loop", "--seconds", "1", style=identity_style) == 0


def test_a_camera_that_is_not_there_is_told_and_waited_for(
    identity_style: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if sys.platform == "linux" and Path("/dev/video77").exists():
        pytest.skip("there is such a camera")

    assert _run("77", "--seconds", "2", style=identity_style) == 1
    if sys.platform == "linux":
        assert "camera 77 is not there; plug it in" in capsys.readouterr().err


def test_a_microphone_that_is_not_there_is_told_before_anything_begins(
    clip: Path,
    identity_style: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refuse(*_: object) -> None:
        raise InputError("the microphone 'C920' cannot be used")

    monkeypatch.setattr(realtime.microphone, "open_stream", refuse)

    assert _run(clip, "--record", tmp_path / "out.mp4", "--microphone", "C920", style=identity_style) == 1
    assert capsys.readouterr().err.strip() == "stylize-webcam: the microphone 'C920' cannot be used"
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no such camera"], "there is no file and no camera"),
        (["{clip}", "--record", "{folder}/out.avi"], "must end in .mp4, .mov, .mkv, .webm"),
        (["{clip}", "--record", "{clip}"], "the recording exists"),
        (["{clip}", "--report", "{clip}"], "would overwrite"),
        (["{clip}", "--record", "{folder}/out.mp4", "--report", "{folder}/out.mp4"], "would overwrite"),
    ],
)
def test_what_cannot_be_meant_is_one_line_and_code_2(
    arguments: list[str], message: str, clip: Path, identity_style: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filled = [argument.format(clip=clip, folder=clip.parent) for argument in arguments]

    assert _run(*filled, style=identity_style) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert message in line


def test_a_page_that_cannot_be_served_leaves_no_recording(clip: Path, identity_style: Path, tmp_path: Path) -> None:
    pytest.importorskip("uvicorn", reason="the page needs the extra [web]")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        assert _run(clip, "--serve", port, "--record", tmp_path / "out.mp4", style=identity_style) == 2

    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems always have a display")
def test_without_a_display_the_ways_without_a_window_are_named(
    clip: Path, identity_style: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)

    assert main([str(clip), "--style", str(identity_style)]) == 1
    assert "--no-window" in capsys.readouterr().err


@pytest.mark.skipif(shutil.which("Xvfb") is None, reason="needs Xvfb, a display without a screen")
def test_the_window_shows_the_run_and_ends_with_it(clip: Path, identity_style: Path, tmp_path: Path) -> None:
    server = subprocess.Popen(["Xvfb", ":87", "-screen", "0", "800x600x24"], stderr=subprocess.DEVNULL)
    try:
        until(lambda: Path("/tmp/.X11-unix/X87").exists())
        options = [option for option in OPTIONS if option != "--no-window"]
        done = subprocess.run(
            [*COMMAND, str(clip), "--style", str(identity_style), *options, "--report", str(tmp_path / "report.json")],
            env={**os.environ, "DISPLAY": ":87"},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
    finally:
        server.terminate()
        server.wait()

    assert done.returncode == 0, done.stderr
    sinks = json.loads((tmp_path / "report.json").read_text())["sinks"]
    assert [sink["name"] for sink in sinks] in (["window"], [])
