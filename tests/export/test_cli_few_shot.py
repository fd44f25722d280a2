"""`stylize-train few-shot`: a video and key frames in, one verified ONNX file out that every command runs."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch", reason="the training needs torch: pip install stylecast[train]")

from export import cli_few_shot, cli_train
from export.verify import Parity
from realtime.cli_webcam import main as webcam
from tests.media import MediaWriter, read_frames

Run = Callable[..., int]
SIZE = (96, 72)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    writer = MediaWriter(tmp_path / "in.mp4")
    writer.video(size=SIZE)
    return writer.write()


@pytest.fixture
def keyframes(video: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "keyframes"
    folder.mkdir()
    for number in (2, 7):
        Image.fromarray(255 - read_frames(video)[number].rgb).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def run(video: Path, keyframes: Path, vgg_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Train for a moment; returns the exit code."""
    monkeypatch.setattr("export.sample.SIZES", ((16, 16), (17, 31)))

    def learn(*more: object, video: Path = video, keyframes: Path = keyframes) -> int:
        words = (video, keyframes, "-o", tmp_path / "dusk.onnx", "--minutes", "0.001", "--vgg", vgg_file, *more)
        return cli_few_shot.main([str(word) for word in words])

    return learn


def test_the_file_is_a_style_for_the_video(
    run: Run, stylize: Callable[..., int], video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run() == 0

    printed = capsys.readouterr()
    last_line = printed.out.splitlines()[-1]
    assert "steps in" in printed.err, "stylize-video passes the progress on from standard error"
    assert last_line == f"use it: stylize-video {video} out.mp4 --style {tmp_path / 'dusk.onnx'} --size 72"
    assert stylize(video, tmp_path / "out.mp4", style=tmp_path / "dusk.onnx") == 0
    made, frames = read_frames(tmp_path / "out.mp4"), read_frames(video)
    assert len(made) == len(frames)
    assert np.abs(made[0].rgb.astype(int) - frames[0].rgb).mean() > 10


def test_the_file_is_a_style_for_live_video(run: Run, video: Path, tmp_path: Path) -> None:
    assert run() == 0

    options = ("--engine", "onnxruntime", "--device", "cpu", "--smoothing", "0", "--no-window")
    words = (video, "--style", tmp_path / "dusk.onnx", "--record", tmp_path / "out.mkv", *options)

    assert webcam([str(word) for word in words]) == 0
    assert read_frames(tmp_path / "out.mkv")


def test_run_folder_keeps_what_a_later_run_continues(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--run", tmp_path / "run") == 0
    first = (tmp_path / "dusk.onnx").read_bytes()

    assert run("--run", tmp_path / "run", "--overwrite") == 0

    assert (tmp_path / "dusk.onnx").read_bytes() == first  # the time was used up
    assert (tmp_path / "run" / "preview.png").is_file()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("-o", "dusk.txt"), 2, "the output must end in .onnx"),
        (("--start", "starry-nigt"), 2, "did you mean starry-night"),
        (("--vgg", "nowhere.safetensors"), 1, "no VGG19 weights at nowhere.safetensors"),
    ],
)
def test_what_cannot_work_is_one_line(
    run: Run, words: tuple[str, ...], code: int, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*words) == code

    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "dusk.onnx").exists()


def test_keyframe_beyond_the_video_is_one_line(run: Run, keyframes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (keyframes / "7.png").rename(keyframes / "70.png")

    assert run() == 1

    assert "70.png is for frame 70, but the video's last frame is 9" in capsys.readouterr().err


def test_damaged_keyframe_is_one_line(run: Run, keyframes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (keyframes / "7.png").write_bytes(b"\x89PNG\r\n")

    assert run() == 1

    assert capsys.readouterr().err.count("\n") == 1


def test_existing_output_is_kept(run: Run, tmp_path: Path) -> None:
    (tmp_path / "dusk.onnx").write_bytes(b"mine")

    assert run() == 2

    assert (tmp_path / "dusk.onnx").read_bytes() == b"mine"


def test_model_that_fails_its_check_is_not_written(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    off = Parity("OpenVINO", 0.5, 20.0, is_float32=True, shortfall="OpenVINO is too far off")
    monkeypatch.setattr("export.verify.measure_parity", lambda *_: [off])

    assert run() == 1

    assert capsys.readouterr().err.endswith("stylize-train few-shot: OpenVINO is too far off\n")
    assert not (tmp_path / "dusk.onnx").exists()


def test_model_that_is_inexact_in_bfloat16_is_kept_with_a_note(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    off = Parity("OpenVINO", 0.5, 36.9, is_float32=False, shortfall="OpenVINO: PSNR 36.9 dB")
    monkeypatch.setattr("export.verify.measure_parity", lambda *_: [off])

    assert run() == 0

    assert "note: OpenVINO: PSNR 36.9 dB; --engine onnxruntime is exact\n" in capsys.readouterr().err
    assert (tmp_path / "dusk.onnx").exists()


@pytest.mark.parametrize("words", [("--minutes", "0"), ("--size", "big"), ("--minutes", "nan")])
def test_options_out_of_range_are_refused(run: Run, words: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as stopped:
        run(*words)

    assert stopped.value.code == 2


def test_stylize_train_hands_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cli_train.FURTHER_COMMANDS, "few-shot", lambda words: 7 if words == ["in.mp4", "keys"] else 0)

    assert cli_train.main(["few-shot", "in.mp4", "keys"]) == 7
