"""Ctrl-C, SIGTERM, kill and a full disk: one line, the right code, no half file, and what was there stays."""

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.media import write_clip

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and limits")

COMMAND = [sys.executable, "-c", "import sys; from realtime.cli_video import main; sys.exit(main())"]
OPTIONS = ["--engine", "onnxruntime", "--device", "cpu", "--smoothing", "0", "--overwrite"]
# A job must end within this after a signal; it takes some tenths.
END_TIMEOUT_S = 20


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of many seconds of work."""
    return write_clip(
        tmp_path_factory.mktemp("long") / "in.mp4", frames=1500, size=(320, 240), options={"preset": "ultrafast"}
    )


def _start(source: Path, output: Path, style: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*COMMAND, str(source), str(output), "--style", str(style), *OPTIONS, "--progress", "none"],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _wait_for_part(folder: Path) -> Path:
    limit_s = time.monotonic() + END_TIMEOUT_S
    while time.monotonic() < limit_s:
        for path in folder.glob(".*.part"):
            if path.stat().st_size > 0:
                return path
        time.sleep(0.01)
    raise AssertionError("the job wrote nothing")


@pytest.mark.parametrize(
    ("signals", "code"),
    [
        ([signal.SIGINT], 130),
        ([signal.SIGINT, signal.SIGINT, signal.SIGINT], 130),
        ([signal.SIGTERM], 143),
        ([signal.SIGHUP, signal.SIGTERM], 129),
    ],
    ids=["ctrl-c", "ctrl-c-thrice", "sigterm", "sighup"],
)
def test_an_interrupted_job_leaves_what_was_there(
    signals: list[signal.Signals], code: int, tmp_path: Path, identity_style: Path, long_clip: Path
) -> None:
    (tmp_path / "out.mp4").write_bytes(b"precious")
    process = _start(long_clip, tmp_path / "out.mp4", identity_style)
    _wait_for_part(tmp_path)

    for number in signals:
        process.send_signal(number)
        time.sleep(0.05)
    _, errors = process.communicate(timeout=END_TIMEOUT_S)

    assert process.returncode == code
    assert errors.count("\n") == 1, errors
    assert "stopped" in errors
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]
    assert (tmp_path / "out.mp4").read_bytes() == b"precious"


@pytest.mark.parametrize("module", ["numpy.linalg", "cv2", "onnxruntime"])
def test_an_interrupt_that_an_import_swallows_still_stops_the_job(
    module: str, tmp_path: Path, identity_style: Path
) -> None:
    """C extensions turn KeyboardInterrupt into ImportError, or drop it."""
    source = write_clip(tmp_path / "in.mp4")
    code = (
        "import os, signal, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}:\n"
        "            try:\n                os.kill(os.getpid(), signal.SIGINT)\n"
        "            except KeyboardInterrupt:\n                pass\n"
        "sys.meta_path.insert(0, Finder())\n"
        "from realtime.cli_video import main\nsys.exit(main())\n"
    )
    command = [sys.executable, "-c", code, str(source), str(tmp_path / "out.mp4"), "--style", str(identity_style)]

    done = subprocess.run([*command, *OPTIONS, "--progress", "none"], capture_output=True, text=True, timeout=60)

    assert (done.returncode, done.stderr) == (130, "stylize-video: stopped\n")
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_nohup_is_respected(tmp_path: Path, identity_style: Path, long_clip: Path) -> None:
    command = ["nohup", *COMMAND, str(long_clip), str(tmp_path / "out.mp4"), "--style", str(identity_style), *OPTIONS]
    process = subprocess.Popen([*command, "--end", "5"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    _wait_for_part(tmp_path)

    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=60)

    assert process.returncode == 0
    assert (tmp_path / "out.mp4").exists()


def test_a_killed_job_leaves_nothing_under_the_final_name(
    tmp_path: Path, identity_style: Path, long_clip: Path
) -> None:
    process = _start(long_clip, tmp_path / "out.mp4", identity_style)
    part = _wait_for_part(tmp_path)

    process.kill()
    process.communicate(timeout=END_TIMEOUT_S)

    assert not (tmp_path / "out.mp4").exists()
    part.unlink()


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.999])
def test_a_full_disk_is_said_and_nothing_is_left(
    share: float, suffix: str, tmp_path: Path, identity_style: Path
) -> None:
    source = write_clip(tmp_path / "in.mp4", frames=40, size=(320, 240))
    output = tmp_path / f"out{suffix}"
    command = [*COMMAND, str(source), str(output), "--style", str(identity_style), *OPTIONS, "--progress", "none"]
    subprocess.run(command, check=True, timeout=60)
    limit = int(output.stat().st_size * share)
    output.write_bytes(b"")

    def limit_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = subprocess.run(command, preexec_fn=limit_files, capture_output=True, text=True, timeout=60)

    assert done.returncode == 1, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert "disk is full" in done.stderr
    assert output.read_bytes() == b""
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["in.mp4", output.name])


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom realtime.cli_video import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "heavy = {'numpy', 'av', 'cv2', 'onnxruntime', 'openvino', 'tqdm'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ}, timeout=30)

    assert done.returncode == 0, done.stderr
    assert "--style" in done.stdout
