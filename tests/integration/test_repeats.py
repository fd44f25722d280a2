"""Frames that repeat the one before are not given to the network again, and nobody can tell from the output."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from realtime.cli_video import main
from tests.media import numbered, numbers, read_frames, write_clip

Picture = NDArray[np.uint8]
ReadReport = Callable[[], dict[str, Any]]

LOSSLESS_INPUT = {"codec": "ffv1", "pixel_format": "bgr0", "audio": False}


def _job(folder: Path, style: Path, smoothing: str) -> int:
    arguments = [str(folder / "in.mkv"), str(folder / "out.mp4"), "--style", str(style), "--smoothing", smoothing]
    engine = ["--engine", "onnxruntime", "--device", "cpu", "--progress", "none"]
    return main([*arguments, *engine, "--crf", "1", "--overwrite", "--report", str(folder / "report.json")])


@pytest.mark.parametrize("smoothing", ["0", "0.8"])
def test_doubled_frames_are_stylised_once(
    smoothing: str, tmp_path: Path, invert_style: Path, read_report: ReadReport
) -> None:
    write_clip(tmp_path / "in.mkv", frames=20, picture=lambda n, size: numbered(n // 2, size), **LOSSLESS_INPUT)

    assert _job(tmp_path, invert_style, smoothing) == 0

    assert numbers(tmp_path / "out.mp4") == [255 - index // 2 for index in range(20)]
    report = read_report()
    assert (report["frames"], report["frames_reused"]) == (20, 10)


def _faintly_noisy(number: int, size: tuple[int, int]) -> Picture:
    noise = np.random.default_rng(number).normal(0, 0.8, (size[1], size[0], 3))
    return np.asarray(np.clip(np.rint(numbered(77, size) + noise), 0, 255), dtype=np.uint8)


@pytest.mark.parametrize(("smoothing", "reused"), [("0", 0), ("0.8", 9)])
def test_frames_that_only_look_the_same_are_reused_when_smoothing(
    smoothing: str, reused: int, tmp_path: Path, invert_style: Path, read_report: ReadReport
) -> None:
    write_clip(tmp_path / "in.mkv", frames=10, picture=_faintly_noisy, **LOSSLESS_INPUT)

    assert _job(tmp_path, invert_style, smoothing) == 0

    assert read_report()["frames_reused"] == reused


def test_without_smoothing_every_frame_is_what_the_network_makes_of_it(tmp_path: Path, invert_style: Path) -> None:
    """Each frame repeats the one before but for one level in one pixel, which the inverted one must have, too."""

    def picture(number: int, size: tuple[int, int]) -> Picture:
        frame = numbered(77, size)
        frame[number, number] += 1
        return frame

    write_clip(tmp_path / "in.mkv", frames=10, picture=picture, **LOSSLESS_INPUT)
    arguments = [str(tmp_path / "in.mkv"), str(tmp_path / "out.mkv"), "--style", str(invert_style), "--smoothing", "0"]
    lossless = ["--codec", "ffv1", "--pix-fmt", "bgr0"]

    assert main([*arguments, *lossless, "--engine", "onnxruntime", "--device", "cpu", "--progress", "none"]) == 0

    for number, frame in enumerate(read_frames(tmp_path / "out.mkv")):
        assert np.array_equal(frame.rgb, 255 - picture(number, (64, 48)))


def test_a_fly_on_a_still_picture_flies(tmp_path: Path, identity_style: Path, read_report: ReadReport) -> None:
    def picture(number: int, size: tuple[int, int]) -> Picture:
        frame = np.full((size[1], size[0], 3), 180, np.uint8)
        frame[20:26, 4 * number : 4 * number + 6] = 30
        return frame

    write_clip(tmp_path / "in.mkv", frames=12, picture=picture, **LOSSLESS_INPUT)

    assert _job(tmp_path, identity_style, "0.8") == 0

    assert read_report()["frames_reused"] == 0
    for number, frame in enumerate(read_frames(tmp_path / "out.mp4")):
        darkest = np.unravel_index(frame.rgb[..., 0].argmin(), frame.rgb.shape[:2])
        assert 4 * number <= darkest[1] < 4 * number + 6
