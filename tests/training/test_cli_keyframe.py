"""`stylize-keyframe`: pictures in, a picture out, nothing overwritten."""

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install stylecast[train]")

from PIL import Image  # noqa: E402

from export import cli_keyframe  # noqa: E402
from export.keyframe_course import GAP_PX, LABEL_HEIGHT_PX  # noqa: E402
from tests.training.keyframe_command import QUICK, Run  # noqa: E402


def test_a_picture_is_stylised_and_its_losses_are_told(
    run_keyframe: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_keyframe("--report", tmp_path / "report.json") == 0

    with Image.open(tmp_path / "out.png") as picture:
        assert picture.size == (40, 32)
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert report["finished"]
    assert (
        f"content {report['losses']['content']:.5f}  style {report['losses']['style']:.5f}" in capsys.readouterr().out
    )


def test_without_vgg19_the_small_backbone_stands_in_unless_vgg19_is_asked_for(
    pictures: Path,
    tmp_path: Path,
    offline: Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = tmp_path / "report.json"
    arguments = [pictures / "0.png", pictures / "1.png", "-o", tmp_path / "out.png", *QUICK, "--report", report]

    assert cli_keyframe.main([*map(str, arguments)]) == 0
    assert json.loads(report.read_text(encoding="utf-8"))["backbone"] == "small backbone, small"
    assert "the small backbone stands in for VGG19" in caplog.text

    assert cli_keyframe.main([*map(str, arguments), "--overwrite", "--backbone", "vgg19"]) == 1
    assert "no route to host" in capsys.readouterr().err


def test_several_styles_are_mixed_by_their_shares(run_keyframe: Run, pictures: Path, tmp_path: Path) -> None:
    def made(*styles: str) -> bytes:
        assert run_keyframe("--overwrite", styles=styles) == 0
        return (tmp_path / "out.png").read_bytes()

    one, other = str(pictures / "1.png"), str(pictures / "2.png")

    assert made(one, f"{other}=0") == made(one)
    assert made(one, f"{other}=3") != made(one, other) != made(one)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_the_suffix_tells_the_format(run_keyframe: Run, tmp_path: Path, suffix: str) -> None:
    assert run_keyframe("-o", tmp_path / f"picture{suffix}") == 0

    with Image.open(tmp_path / f"picture{suffix}") as picture:
        assert picture.format == {".png": "PNG", ".jpg": "JPEG", ".webp": "WEBP"}[suffix]


def test_previews_are_saved_beside_the_output(run_keyframe: Run, tmp_path: Path) -> None:
    assert run_keyframe("--preview-every", "2", "--iterations", "5") == 0

    assert sorted(path.name for path in tmp_path.glob("out-*")) == ["out-40x32-0002.png", "out-40x32-0004.png"]


def test_a_mask_keeps_the_content_where_it_is_black(run_keyframe: Run, pictures: Path, tmp_path: Path) -> None:
    mask = np.zeros((32, 40), dtype=np.uint8)
    mask[:, :20] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")

    assert run_keyframe("--mask", tmp_path / "mask.png", "--iterations", "5") == 0

    made, content = (np.array(Image.open(path)).astype(int) for path in (tmp_path / "out.png", pictures / "0.png"))
    changed = np.abs(made - content).mean(axis=(0, 2))
    assert changed[30:].mean() < 0.5 < changed[:15].mean()


def test_a_mask_on_transparent_ground_is_black_there(run_keyframe: Run, tmp_path: Path) -> None:
    levels = np.zeros((32, 40, 4), dtype=np.uint8)
    levels[:, :20] = 255
    Image.fromarray(levels).save(tmp_path / "layer.png")
    Image.fromarray(levels[..., 3]).save(tmp_path / "grey.png")
    for name in ("layer", "grey"):
        assert run_keyframe("--mask", tmp_path / f"{name}.png", "-o", tmp_path / f"by-{name}.png") == 0

    assert (tmp_path / "by-layer.png").read_bytes() == (tmp_path / "by-grey.png").read_bytes()


def test_measures_are_told_and_reported(run_keyframe: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_keyframe("--report", tmp_path / "report.json") == 0

    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    measures = report["measures"]
    assert measures["style_loss"] < measures["style_loss_of_content"]
    assert "VGG19" in report["measured_by"]
    assert report["peak_memory_mb"] > 0
    assert f"ssim {measures['ssim']:.5f}  content_loss {measures['content_loss']:.5f}" in capsys.readouterr().out


def test_the_course_is_drawn(run_keyframe: Run, tmp_path: Path) -> None:
    drawn = ("--plot", tmp_path / "plot.svg", "--evolution", tmp_path / "strip.png")

    assert run_keyframe(*drawn, "--size", "64", "--scales", "2", "--iterations", "6") == 0

    assert "</svg>" in (tmp_path / "plot.svg").read_text(encoding="utf-8")
    with Image.open(tmp_path / "strip.png") as strip:
        # Iterations 0 and 10 and the best, all at the size of the result.
        assert strip.width == 3 * 80 + 2 * GAP_PX
        assert strip.height == 64 + LABEL_HEIGHT_PX


def test_an_output_that_exists_is_kept(run_keyframe: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out.png").write_bytes(b"precious")

    assert run_keyframe() == 2

    assert "--overwrite" in capsys.readouterr().err
    assert (tmp_path / "out.png").read_bytes() == b"precious"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("-o", "{folder}/out.tiff"), "must end in"),
        (("-o", "{folder}/missing/out.png"), "does not exist"),
        (("-o", "{pictures}/0.png", "--overwrite"), "other files"),
        (("--frame", "3"), "is a picture"),
        (("--style-layer", "relu9_9"), "relu9_9"),
        (("--style-layer", "relu1_1=0"), "all style layers have a weight of 0"),
        (("--scales", "2"), "begin at 16 px"),
        (("--start", "{folder}/none.png"), "none.png"),
        (("--vgg", "{folder}/none.safetensors"), "none.safetensors"),
        (("--vgg", "{pictures}/2.png"), "2.png"),
        (("--backbone", "small"), "the backbone is small"),
        (("--backbone", "vgg19", "--content-layer", "layer2"), "known: relu1_1, "),
        (("--resume", "{pictures}/2.png"), "cannot be read"),
        (("--mask", "{pictures}/2.png", "--mask", "{pictures}/3.png"), "2 masks for 1 styles"),
        (("--mask", "{folder}/none.png"), "none.png"),
        (("--start", "previous"), "--auto N"),
        (("--auto", "2", "--plot", "{folder}/plot.png"), "show one picture"),
        (("--auto", "2", "-o", "{pictures}/4.png"), "need a folder"),
        (("--auto", "2", "-o", "{folder}/keys"), "0.png"),
        (("--plot", "{folder}/plot.gif"), "must end in"),
    ],
)
def test_what_cannot_work_is_told_in_one_line(
    run_keyframe: Run,
    pictures: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    more: tuple[str, ...],
    told: str,
) -> None:
    code = run_keyframe(*(text.format(folder=tmp_path, pictures=pictures) for text in more))

    error = capsys.readouterr().err
    assert code in (1, 2)
    assert told in error
    assert len(error.splitlines()) == 1
    assert "unexpected" not in error
