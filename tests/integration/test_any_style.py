"""A picture as the style of a video, by the command: its look arrives, mixes and strength too, and bad ones are said.

The any-style model of these tests gives a picture the mean and deviation of each colour of the style's picture.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from realtime.cli_video import main
from tests.media import BRIGHT, DARK, numbers, read_frames, write_clip

# Grey levels that 4:2:0 video of good quality may lie off.
VIDEO_LEVELS = 6
RED, BLUE = (200, 60, 80), (40, 60, 200)
LEFT_OUT = "--smoothing", "0", "--engine", "onnxruntime", "--device", "cpu", "--progress", "none"

pytestmark = pytest.mark.usefixtures("any_style_catalogue")


@pytest.fixture
def paint(tmp_path: Path) -> Callable[..., str]:
    """Write a picture of one colour; returns its path."""

    def write(name: str, colour: tuple[int, int, int]) -> str:
        Image.new("RGB", (50, 40), colour).save(tmp_path / name)
        return str(tmp_path / name)

    return write


def _mean_colour(path: Path) -> "np.ndarray[Any, Any]":
    return np.mean([frame.rgb.mean(axis=(0, 1)) for frame in read_frames(path)], axis=0)


def _stylize(tmp_path: Path, *options: str) -> Path:
    source = write_clip(tmp_path / "in.mp4")
    output = tmp_path / "out.mp4"
    assert main([str(source), str(output), *LEFT_OUT, *options]) == 0
    return output


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.bmp", "a.tif"])
def test_video_takes_on_the_look_of_the_picture(name: str, tmp_path: Path, paint: Callable[..., str]) -> None:
    output = _stylize(tmp_path, "--style", paint(name, RED))

    assert np.abs(_mean_colour(output) - RED).max() < VIDEO_LEVELS
    assert len(read_frames(output)) == 10


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_deviation_of_the_picture_arrives_too_on_every_engine(engine: str, tmp_path: Path) -> None:
    halves = np.full((40, 40, 3), 100, np.uint8)
    halves[:, 20:] = 140
    Image.fromarray(halves).save(tmp_path / "halves.png")

    output = _stylize(tmp_path, "--style", str(tmp_path / "halves.png"), "--engine", engine)

    # Bars that were 40 and 215 are now 100 and 140; those of the margin count a little.
    picture = read_frames(output)[1].rgb
    assert abs(float(np.mean(picture)) - 120) < VIDEO_LEVELS
    assert 30 < np.percentile(picture, 90) - np.percentile(picture, 10) < 100 < BRIGHT - DARK


def test_pictures_are_mixed_by_their_weights(tmp_path: Path, paint: Callable[..., str]) -> None:
    styles = ["--style", paint("red.png", RED), "--style", paint("blue.png", BLUE)]

    even = _mean_colour(_stylize(tmp_path, *styles))
    three_to_one = _mean_colour(_stylize(tmp_path, *styles, "--mix", "3,1", "--overwrite"))

    assert np.abs(even - np.mean((RED, BLUE), axis=0)).max() < VIDEO_LEVELS
    assert np.abs(three_to_one - np.average((RED, BLUE), axis=0, weights=(3, 1))).max() < VIDEO_LEVELS


def test_strength_is_applied_once_and_by_the_network(tmp_path: Path, paint: Callable[..., str]) -> None:
    style = ["--style", paint("red.png", RED)]

    none = _stylize(tmp_path, *style, "--strength", "0")
    numbers_of_none, grey = numbers(none), _mean_colour(none)
    half = _stylize(tmp_path, *style, "--strength", "0.5", "--overwrite")

    assert numbers_of_none == list(range(10))
    assert np.abs(_mean_colour(half) - (grey + RED) / 2).max() < VIDEO_LEVELS
    # Half the deviation is left; had the pixels been blended as well, it would be a quarter.
    contrast = np.ptp(read_frames(half)[1].rgb.mean(axis=(0, 2)))
    assert contrast == pytest.approx((BRIGHT - DARK) / 2, rel=0.2)


def test_report_and_lines_name_model_and_pictures(
    tmp_path: Path, paint: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    styles = [paint("red.png", RED), paint("blue.png", BLUE)]
    report = tmp_path / "report.json"

    _stylize(
        tmp_path, "--style", styles[0], "--style", styles[1], "--mix", "3,1",
        "--progress", "lines", "--report", str(report),
    )  # fmt: skip

    assert "colours: 75 % red.png, 25 % blue.png, ONNX Runtime" in capsys.readouterr().err
    content = json.loads(report.read_text())
    assert content["style"] == "colours"
    assert content["style_pictures"] == [[styles[0], 0.75], [styles[1], 0.25]]


def test_picture_is_the_style_of_a_whole_folder(tmp_path: Path, paint: Callable[..., str]) -> None:
    (tmp_path / "in").mkdir()
    for name in "ab":
        write_clip(tmp_path / "in" / f"{name}.mp4", audio=False)

    assert main([str(tmp_path / "in"), str(tmp_path / "out"), *LEFT_OUT, "--style", paint("red.png", RED)]) == 0

    for name in "ab":
        assert np.abs(_mean_colour(tmp_path / "out" / f"{name}.mp4") - RED).max() < VIDEO_LEVELS


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--style", "text.jpg"], 1, "text.jpg is not a picture that can be read"),
        (["--style", "cut.jpg"], 1, "the picture cut.jpg is damaged"),
        (["--style", "empty.jpg"], 1, "empty.jpg is empty (0 bytes)"),
        (["--style", "in.mp4"], 1, "in.mp4 is not a picture that can be read"),
        (["--style", "red.png", "--style", "invert"], 2, "--style invert cannot be mixed"),
        (["--style", "red.png", "--mix", "1,2"], 2, "--mix has 2 weights for 1 --style"),
        (["--style", "red.png", "--report", "red.png"], 2, "report would overwrite red.png"),
        (["--style", "colours"], 2, "paints after a picture"),
        (["--style", "nowhere.png"], 2, "there is no such file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_style_that_cannot_work_is_refused_in_one_line(
    options: list[str],
    code: int,
    words: str,
    tmp_path: Path,
    paint: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    write_clip(tmp_path / "in.mp4")
    whole = Path(paint("red.png", RED)).read_bytes()
    paint("cut.jpg", RED)
    Path("cut.jpg").write_bytes(Path("cut.jpg").read_bytes()[:-200])
    Path("text.jpg").write_text("no picture at all")
    Path("empty.jpg").touch()

    assert main(["in.mp4", "out.mp4", *LEFT_OUT, *options]) == code

    text = capsys.readouterr().err
    assert text.count("\n") == 1, text
    assert words in text
    assert not Path("out.mp4").exists()
    assert Path("red.png").read_bytes() == whole


def test_damaged_encoder_is_refused(
    any_style_catalogue: Path, tmp_path: Path, paint: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    (any_style_catalogue / "encoder.onnx").write_bytes(b"cut off")
    write_clip(tmp_path / "in.mp4")

    code = main([str(tmp_path / "in.mp4"), str(tmp_path / "out.mp4"), "--style", paint("red.png", RED)])

    assert code == 1
    assert "colours (encoder) are damaged" in capsys.readouterr().err
