"""The scores tell a style from its absence, and say what they were measured on."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="the export needs torch: pip install stylecast[train]")

from export import score  # noqa: E402
from export.score import engine_times_ms, perceptual_scores  # noqa: E402
from tests.models import identity_model, invert_model  # noqa: E402
from training.perceptual import STYLE_LAYERS  # noqa: E402
from training.vgg import Vgg19  # noqa: E402

Picture = NDArray[np.uint8]


@pytest.fixture(scope="module")
def vgg(vgg_file: Path) -> Vgg19:
    return Vgg19(STYLE_LAYERS, weights=vgg_file)


@pytest.fixture
def named(smooth_pictures: list[Picture]) -> dict[Path, Picture]:
    return {Path("a.png"): smooth_pictures[1], Path("b.png"): smooth_pictures[2]}


def test_model_that_changes_nothing_keeps_the_content_and_the_photographs_style(
    vgg: Vgg19, named: dict[Path, Picture], photographs: Path
) -> None:
    scores = perceptual_scores(
        identity_model(), style_picture=photographs / "00.png", style_size_px=56, photographs=named, backbone=vgg
    )

    assert scores["content_loss"] == 0
    assert scores["style_loss"] == scores["style_loss_of_photographs"] > 0


def test_style_loss_of_the_style_picture_itself_is_zero(
    vgg: Vgg19, smooth_pictures: list[Picture], photographs: Path
) -> None:
    scores = perceptual_scores(
        identity_model(),
        style_picture=photographs / "00.png",
        style_size_px=56,
        photographs={Path("00.png"): smooth_pictures[0][..., ::-1].copy()},  # OpenCV wrote it as BGR
        backbone=vgg,
    )

    assert scores["style_loss"] < 1e-3


def test_model_that_changes_something_loses_content(vgg: Vgg19, named: dict[Path, Picture], photographs: Path) -> None:
    scores = perceptual_scores(
        invert_model(), style_picture=photographs / "00.png", style_size_px=56, photographs=named, backbone=vgg
    )

    assert scores["content_loss"] > 0.01
    assert scores["style_loss"] != scores["style_loss_of_photographs"]


def test_scores_name_what_they_rest_on(vgg: Vgg19, named: dict[Path, Picture], photographs: Path) -> None:
    scores = perceptual_scores(
        identity_model(), style_picture=photographs / "00.png", style_size_px=48, photographs=named, backbone=vgg
    )

    assert scores["photographs"] == ["a.png", "b.png"]
    assert (scores["short_side_px"], scores["style_size_px"]) == (56, 48)
    assert scores["vgg"] == "vgg19-random.safetensors"


def test_every_engine_is_timed_and_int8_on_the_one_that_runs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score, "TIMED_ROUNDS", 1)

    times = engine_times_ms({"fp32": identity_model(), "int8": identity_model()}, size=(16, 16))

    assert [name.split()[0] for name in times] == ["OpenVINO", "ONNX"]
    assert all(value >= 0 for value in times.values())
