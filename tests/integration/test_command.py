"""The command itself: batches, progress in its three forms, the report."""

import json
import os
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from realtime.cli_video import main
from tests.media import numbers, write_clip

COMMAND = [sys.executable, "-c", "import sys; from realtime.cli_video import main; sys.exit(main())"]


def _options(style: Path) -> list[str]:
    return ["--style", str(style), "--smoothing", "0", "--engine", "onnxruntime", "--device", "cpu"]


def test_one_bad_file_does_not_stop_a_batch(
    tmp_path: Path, identity_style: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write_clip(folder / "a.mp4")
    (folder / "b.mp4").write_text("no video")
    write_clip(folder / "c.avi", codec="mpeg4", audio=False, bit_rate=1_000_000)
    (folder / "notes.txt").write_text("not looked at")

    code = main([str(folder), str(tmp_path / "out"), *_options(identity_style), "--progress", "lines"])

    assert code == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.mp4", "c.mp4"]
    assert numbers(tmp_path / "out" / "c.mp4") == list(range(10))
    table = capsys.readouterr().err.splitlines()[-4:]
    assert [line.split()[0] for line in table] == ["input", "a.mp4", "b.mp4", "c.avi"]
    assert "FAILED" in table[2]


def test_a_folder_with_one_video_goes_into_a_new_folder_and_goes_on_when_run_again(
    tmp_path: Path, identity_style: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    write_clip(tmp_path / "in" / "a.mp4", audio=False)
    report = tmp_path / "report.json"
    command = [str(tmp_path / "in"), str(tmp_path / "out"), *_options(identity_style), "--report", str(report)]

    assert main([*command, "--progress", "none"]) == 0

    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.mp4"]
    made = (tmp_path / "out" / "a.mp4").read_bytes()
    write_clip(tmp_path / "in" / "b.mp4", audio=False)

    assert main([*command, "--progress", "none"]) == 0

    assert (tmp_path / "out" / "a.mp4").read_bytes() == made
    assert "skipped" in capsys.readouterr().err.splitlines()[-2]
    skipped, done = json.loads(report.read_text())
    assert skipped == {"input": str(tmp_path / "in" / "a.mp4"), "skipped": str(tmp_path / "out" / "a.mp4")}
    assert done["frames"] == 10


def test_options_may_stand_between_the_paths(tmp_path: Path, identity_style: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", audio=False)
    options = [*_options(identity_style), "-e", "g=5", "--progress", "none"]

    assert main([str(source), *options, str(tmp_path / "out.mp4"), "-e", "bf=0"]) == 0

    assert (tmp_path / "out.mp4").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="file numbers are POSIX")
def test_closed_standard_streams_do_no_harm(tmp_path: Path, identity_style: Path) -> None:
    source = write_clip(tmp_path / "in.mp4")
    command = [*COMMAND, str(source), str(tmp_path / "out.mp4"), *_options(identity_style)]

    # With a number of its own closed, the shell hands on only what is open.
    done = subprocess.run(["sh", "-c", 'exec "$@" 0<&- 1>&- 2>&-', "sh", *command], timeout=60)

    assert done.returncode == 0
    assert numbers(tmp_path / "out.mp4") == list(range(10))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux only")
@pytest.mark.parametrize("arguments", [["in.mp4", "out.mp4", "--progress", "json"], ["styles"]], ids=["json", "styles"])
def test_standard_output_that_cannot_be_written_is_one_line(
    arguments: list[str], tmp_path: Path, identity_style: Path
) -> None:
    write_clip(tmp_path / "in.mp4")
    command = [*COMMAND, *arguments, *_options(identity_style)]
    if arguments == ["styles"]:
        command = [sys.executable, "-c", "import sys; from realtime.cli import main; sys.exit(main())", *arguments]
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, cwd=tmp_path, env=_environment()
        )

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    assert "standard output: No space left" in done.stderr
    assert not (tmp_path / "out.mp4").exists()


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}


def test_several_files_go_into_a_folder(tmp_path: Path, identity_style: Path) -> None:
    inputs = [str(write_clip(tmp_path / f"{name}.mp4", audio=False)) for name in "ab"]

    assert main([*inputs, str(tmp_path / "out"), *_options(identity_style), "--progress", "none"]) == 0

    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.mp4", "b.mp4"]


def test_json_progress_is_all_there_is_on_standard_output(tmp_path: Path, identity_style: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", codec="libx264")
    command = [*COMMAND, str(source), str(tmp_path / "out.mp4"), *_options(identity_style)]

    done = subprocess.run(
        [*command, "--progress", "json", "--codec", "hevc"], capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["event"] for event in (events[0], events[-1])] == ["started", "finished"]
    last = events[-1]
    assert last["frames"] == 10
    assert last["frames_per_s"] > 0
    assert last["run_s"] > 0
    assert "cpu" in last["engine"]
    assert last["peak_memory_mb"] > 1


def test_a_failure_is_a_json_line_too(tmp_path: Path, identity_style: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in.mp4").write_text("no video")

    code = main([str(tmp_path / "in.mp4"), str(tmp_path / "out.mp4"), *_options(identity_style), "--progress", "json"])

    captured = capsys.readouterr()
    assert code == 1
    assert json.loads(captured.out)["event"] == "failed"
    assert captured.err.count("\n") == 1


def test_failures_of_a_batch_are_json_lines_between_the_others(
    tmp_path: Path, identity_style: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.mp4").write_text("no video")
    write_clip(tmp_path / "b.mp4", audio=False)
    inputs = [str(tmp_path / name) for name in ("a.mp4", "b.mp4")]

    code = main([*inputs, str(tmp_path / "out"), *_options(identity_style), "--progress", "json"])

    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert code == 1
    assert [event["event"] for event in (*events[:2], events[-1])] == ["failed", "started", "finished"]
    assert events[0]["input"] == inputs[0]


def test_plain_lines_where_there_is_no_terminal(tmp_path: Path, identity_style: Path) -> None:
    source = write_clip(tmp_path / "in.mp4")
    command = [*COMMAND, str(source), str(tmp_path / "out.mp4"), *_options(identity_style)]

    done = subprocess.run(command, capture_output=True, text=True, timeout=60)

    assert done.returncode == 0
    assert done.stdout == ""
    assert "\r" not in done.stderr
    last = done.stderr.splitlines()[-1]
    for words in ("10 frames in", "fps", "ONNX Runtime", "cpu", "peak memory"):
        assert words in last


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")
def test_a_bar_on_a_terminal(tmp_path: Path, identity_style: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", frames=200)
    leader, follower = os.openpty()
    termios.tcsetwinsize(follower, (24, 100))
    command = [*COMMAND, str(source), str(tmp_path / "out.mp4"), *_options(identity_style)]

    process = subprocess.Popen(command, stderr=follower, stdout=subprocess.DEVNULL)
    os.close(follower)
    shown = b""
    while True:
        try:
            part = os.read(leader, 4096)
        except OSError:  # Linux: the other side is closed
            break
        if not part:
            break
        shown += part
    os.close(leader)

    assert process.wait(timeout=30) == 0
    text = shown.decode()
    assert "/200" in text
    assert "\r" in text
    assert "200 frames in" in text.splitlines()[-1]
