"""`stylize compare`: right figures where the flicker is known, one clear line for what cannot be compared."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from realtime.cli import main
from tests.media import MediaWriter, write_clip

Picture = NDArray[np.uint8]

SIZE = (160, 96)
FRAMES = 8
PAN_PX = 2
LOSSLESS = {"codec": "ffv1", "pixel_format": "bgr0", "audio": False, "size": SIZE}


def _wide() -> Picture:
    random = np.random.default_rng(3)
    picture = np.zeros((SIZE[1], 2 * SIZE[0], 3), np.float32)
    for cells, share in ((4, 90), (16, 50), (48, 25)):
        picture += share * cv2.resize(random.random((cells, 2 * cells, 3), dtype=np.float32), picture.shape[1::-1])
    return np.asarray(np.clip(picture + 40, 0, 255), dtype=np.uint8)


WIDE = _wide()


def _view(number: int, size: tuple[int, int]) -> Picture:
    view = np.ascontiguousarray(WIDE[:, PAN_PX * number : PAN_PX * number + SIZE[0]])
    return view if size == SIZE else np.asarray(cv2.resize(view, size), dtype=np.uint8)


def _flickering(number: int, size: tuple[int, int], levels: int) -> Picture:
    return np.asarray(255 - _view(number, size) // 2 - levels * (number % 2), dtype=np.uint8)


def _rough(number: int, size: tuple[int, int]) -> Picture:
    return _flickering(number, size, 16)


def _smoothed(number: int, size: tuple[int, int]) -> Picture:
    return _flickering(number, size, 8)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, picture in (("in", _view), ("rough", _rough), ("smoothed", _smoothed)):
        write_clip(tmp_path / f"{name}.mkv", frames=FRAMES, picture=picture, **LOSSLESS)
    return tmp_path


def _json(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["compare", *arguments, "--json"]) == 0
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def test_figures_are_those_of_the_flicker_that_was_put_in(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = _json(capsys, "in.mkv", "smoothed.mkv", "--unsmoothed", "rough.mkv")

    smoothed, rough = result["outputs"]
    assert (result["frames"], result["cuts"], result["size"]) == (FRAMES, [], "160x96")
    assert [output["path"] for output in result["outputs"]] == ["smoothed.mkv", "rough.mkv"]
    # Motion is estimated, and whole numbers halve roughly: the floor is not quite zero.
    assert rough["warping_error"] == pytest.approx((16 / 255) ** 2, rel=0.05)
    assert smoothed["warping_error"] == pytest.approx((8 / 255) ** 2, rel=0.05)
    assert smoothed["flicker_removed"] == pytest.approx(0.75, abs=0.03)
    assert rough["flicker_removed"] is None
    assert rough["is_unsmoothed"]
    assert smoothed["sharpness"] == pytest.approx(rough["sharpness"], rel=0.02)
    assert smoothed["frame_difference"] < rough["frame_difference"]


def test_the_table_has_a_line_for_every_video(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "in.mkv", "smoothed.mkv", "rough.mkv", "--unsmoothed", "rough.mkv"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "8 frames at 160x96, cuts left out: 0"
    assert lines[2].startswith("input in.mkv ")
    assert lines[3].startswith("smoothed.mkv ")
    assert lines[3].endswith(" %")
    assert lines[4].startswith("rough.mkv (unsmoothed) ")
    assert len(lines) == 5


def test_true_motion_is_used_where_it_is_given(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "right").mkdir()
    (folder / "wrong").mkdir()
    for number in range(FRAMES - 1):
        for name, x in (("right", -PAN_PX), ("wrong", -PAN_PX - 0.6)):
            flow = np.full((*SIZE[::-1], 2), (x, 0), np.float32)
            cv2.writeOpticalFlow(str(folder / name / f"{number:04}.flo"), flow)

    right, wrong = (_json(capsys, "in.mkv", "rough.mkv", "--flow", name) for name in ("right", "wrong"))

    assert right["input"]["warping_error"] == 0
    assert wrong["input"]["warping_error"] > 1e-5


def test_a_video_that_is_turned_by_its_tag_is_compared_upright(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def lying(number: int, _: tuple[int, int]) -> Picture:
        return np.ascontiguousarray(np.rot90(_view(number, SIZE), -1))

    writer = MediaWriter(folder / "turned.mp4")
    video = writer.video(
        pts=range(FRAMES), size=SIZE[::-1], pixel_format="yuv444p", picture=lying, options={"crf": "0"}
    )
    video.set_display_rotation(90)
    writer.write()

    result = _json(capsys, "turned.mp4", "in.mkv", "--unsmoothed", "rough.mkv")

    assert result["size"] == "160x96"
    assert result["outputs"][0]["sharpness"] == pytest.approx(result["input"]["sharpness"], rel=0.05)
    # Frame by frame the same pictures: against one that is turned the other way it is a hundred times as much.
    assert result["outputs"][0]["frame_difference"] < 1e-3
    assert not result["notes"]


def test_a_video_of_another_size_is_scaled_and_that_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_clip(folder / "large.mkv", frames=FRAMES, picture=_rough, **{**LOSSLESS, "size": (320, 192)})

    assert main(["compare", "in.mkv", "large.mkv", "--json"]) == 0

    captured = capsys.readouterr()
    assert "note: large.mkv has 320x192 pixels and is scaled to 160x96" in captured.err
    assert json.loads(captured.out)["outputs"][0]["warping_error"] == pytest.approx((16 / 255) ** 2, rel=0.1)


def test_all_are_measured_at_the_size_asked_for(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _json(capsys, "in.mkv", "rough.mkv", "--size", "64")["size"] == "107x64"


def test_pairs_across_a_cut_are_left_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = np.ascontiguousarray(WIDE[::-1, ::-1])[:, : SIZE[0]]
    write_clip(
        folder / "cut.mkv", frames=8, picture=lambda number, size: _view(0, size) if number < 4 else other, **LOSSLESS
    )

    result = _json(capsys, "cut.mkv", "cut.mkv", "--plot", "chart.svg")

    assert result["cuts"] == [4]
    assert result["input"]["warping_error"] == 0
    lines = list(ElementTree.parse(folder / "chart.svg").iter("{http://www.w3.org/2000/svg}line"))
    assert sum("stroke-dasharray" in line.attrib for line in lines) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["missing.mkv", "rough.mkv"], 1, "video not found: missing.mkv"),
        (["in.mkv", "missing.mkv"], 1, "video not found: missing.mkv"),
        (["in.mkv", "rough.mkv", "--unsmoothed", "missing.mkv"], 1, "video not found: missing.mkv"),
        (["in.mkv", "text.mkv"], 1, "text.mkv"),
        (["in.mkv", "short.mkv"], 1, "short.mkv ends after 5 frames"),
        (["short.mkv", "in.mkv"], 1, "in.mkv has more frames than the 5 of short.mkv"),
        (["in.mkv", "rough.mkv", "rough.mkv"], 2, "given twice: rough.mkv"),
        (["in.mkv", "rough.mkv", "--flow", "nowhere"], 2, "no folder with .flo files"),
        (["in.mkv", "rough.mkv", "--flow", "small"], 2, "is for 4x3 pixels, but 160x96 are measured"),
        (["in.mkv", "rough.mkv", "--flow", "few"], 2, "has 1 files, but the video has 7 pairs"),
        (["in.mkv", "rough.mkv", "--flow", "broken"], 1, "expected a Middlebury .flo"),
        (["in.mkv", "rough.mkv", "--plot", "chart.png"], 2, "must end in .svg"),
        (["in.mkv", "rough.mkv", "--unsmoothed", "link.svg", "--plot", "link.svg"], 2, "plot would overwrite link.svg"),
        (["in.mkv", "rough.mkv", "--plot", "nowhere/chart.svg"], 1, "folder of the plot does not exist"),
    ],
)
def test_what_cannot_be_compared_is_one_clear_line(
    arguments: list[str], code: int, words: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_clip(folder / "short.mkv", frames=5, picture=_view, **LOSSLESS)
    (folder / "text.mkv").write_text("no video")
    for name, shape in (("small", (3, 4, 2)), ("few", (*SIZE[::-1], 2))):
        (folder / name).mkdir()
        cv2.writeOpticalFlow(str(folder / name / "0.flo"), np.zeros(shape, np.float32))
    (folder / "broken").mkdir()
    (folder / "broken" / "0.flo").write_text("no flow")

    assert main(["compare", *arguments]) == code

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert words in captured.err
