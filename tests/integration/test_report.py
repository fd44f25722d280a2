"""The report of a job: cuts with their times, what the smoother did, and everything a figure depends on."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from realtime.cli_video import main
from realtime.settings import Controls, Settings
from tests.media import write_clip
from tests.models import FRAME_SHAPE, IR_VERSION, OPSET

Picture = NDArray[np.uint8]
ReadReport = Callable[[], dict[str, Any]]

SIZE = (160, 96)
CUT_FRAME = 6
NOISE_LEVELS = 3.0


def _scene(seed: int) -> Picture:
    random = np.random.default_rng(seed)
    picture = np.zeros((SIZE[1], 240, 3), np.float32)
    for cells, share in ((5, 70), (10, 50), (20, 35), (40, 25)):
        picture += share * cv2.resize(random.random((cells, 2 * cells, 3), dtype=np.float32), picture.shape[1::-1])
    return np.asarray(np.clip(picture + 40, 0, 255), dtype=np.uint8)


SCENES = (_scene(1), _scene(2))


def _moving(number: int, size: tuple[int, int]) -> Picture:
    """Return a pan over one scene, and after the cut over another, with noise."""
    left = 2 * (number % CUT_FRAME)
    view = SCENES[number // CUT_FRAME % 2][:, left : left + SIZE[0]]
    noise = np.random.default_rng(number).normal(0, NOISE_LEVELS, (*view.shape[:2], 1))
    return np.asarray(np.clip(np.rint(view + noise), 0, 255), dtype=np.uint8)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_clip(
        tmp_path / "in.mkv", frames=12, picture=_moving, size=SIZE, codec="ffv1", pixel_format="bgr0", audio=False
    )


@pytest.fixture
def flickering_style(tmp_path: Path) -> Path:
    """A style that jumps as networks do: of its eight levels, noise of the input picks now one and now the next."""
    nodes = [
        helper.make_node("BitShift", ["frame", "five"], ["level"], direction="RIGHT"),
        helper.make_node("BitShift", ["level", "five"], ["stylized"], direction="LEFT"),
    ]
    five = helper.make_tensor("five", TensorProto.UINT8, [1], [5])
    described = [helper.make_tensor_value_info(name, TensorProto.UINT8, FRAME_SHAPE) for name in ("frame", "stylized")]
    graph = helper.make_graph(nodes, "steps", described[:1], described[1:], initializer=[five])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    path = tmp_path / "steps.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def _run(source: Path, style: Path, *options: str) -> int:
    folder = source.parent
    engine = ["--engine", "onnxruntime", "--device", "cpu", "--progress", "lines"]
    return main([str(source), str(folder / "out.mp4"), "--style", str(style), *engine, *options])


def test_cuts_are_told_with_their_frames_and_times(source: Path, identity_style: Path, read_report: ReadReport) -> None:
    assert _run(source, identity_style, "--report", str(source.with_name("report.json"))) == 0

    report = read_report()
    assert report["cuts"] == [{"frame": CUT_FRAME, "time_s": 0.24}]
    assert report["coherence"] is None
    assert set(report["stage_ms"]) == {"decode", "motion", "network", "smooth", "encode"}


def test_everything_that_figures_depend_on_is_told(source: Path, identity_style: Path, read_report: ReadReport) -> None:
    report_path = str(source.with_name("report.json"))

    assert _run(source, identity_style, "--report", report_path, "--strength", "0.5", "--start", "0.04") == 0

    report = read_report()
    assert set(report["options"]) == {*Controls.__dataclass_fields__, *Settings.__dataclass_fields__}
    assert (report["options"]["strength"], report["options"]["start"]) == (0.5, 0.04)
    assert {"python", "numpy", "av", "opencv-python"} <= set(report["versions"])


def test_measuring_tells_floor_ceiling_and_ours(
    source: Path, flickering_style: Path, read_report: ReadReport, capsys: pytest.CaptureFixture[str]
) -> None:
    files = ["--report", str(source.with_name("report.json")), "--plot", str(source.with_name("chart.svg"))]

    assert _run(source, flickering_style, "--measure", *files) == 0

    report = read_report()
    figures = report["coherence"]
    errors = figures["warping_error"]
    assert errors["floor"] < errors["ours"] < errors["ceiling"]
    removed = (errors["ceiling"] - errors["ours"]) / (errors["ceiling"] - errors["floor"])
    assert figures["flicker_removed"] == pytest.approx(removed, abs=1e-4)
    assert (figures["pairs"], figures["cuts"], figures["size"]) == (10, [CUT_FRAME], "160x96")
    assert 0.5 < figures["sharpness"]["smoothed"] / figures["sharpness"]["unsmoothed"] < 1.5
    assert report["stage_ms"]["measure"] > 0
    assert f"flicker removed {100 * removed:.0f} %" in capsys.readouterr().err.splitlines()[-1]
    names = {text.text for text in ElementTree.parse(source.with_name("chart.svg")).iter() if text.tag.endswith("text")}
    assert {"input (floor)", "unsmoothed (ceiling)", "smoothed"} <= names


def test_without_smoothing_nothing_is_removed(source: Path, flickering_style: Path, read_report: ReadReport) -> None:
    report_path = str(source.with_name("report.json"))

    assert _run(source, flickering_style, "--measure", "--smoothing", "0", "--size", "64", "--report", report_path) == 0

    report = read_report()
    assert report["coherence"]["flicker_removed"] == 0
    assert report["coherence"]["size"] == "107x64"
    assert report["coherence"]["cuts"] == [CUT_FRAME]
    assert report["cuts"] == []


def test_a_report_of_one_frame_is_json_without_nan(tmp_path: Path, identity_style: Path) -> None:
    source = write_clip(tmp_path / "in.mkv", frames=1, codec="ffv1", pixel_format="bgr0", audio=False)

    assert _run(source, identity_style, "--measure", "--report", str(tmp_path / "report.json")) == 0

    text = (tmp_path / "report.json").read_text(encoding="utf-8")
    figures = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))["coherence"]
    assert figures["warping_error"]["floor"] is None
    assert figures["pairs"] == 0


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--plot", "chart.svg"], 2, "--plot needs --measure"),
        (["--measure", "--plot", "chart.png"], 2, "must end in .svg"),
        (["--measure", "--plot", "nowhere/chart.svg"], 1, "folder of the plot does not exist"),
    ],
)
def test_plots_that_cannot_be_drawn_are_one_line(
    options: list[str], code: int, words: str, source: Path, identity_style: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(source, identity_style, *options) == code

    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert words in error
    assert not source.with_name("out.mp4").exists()
