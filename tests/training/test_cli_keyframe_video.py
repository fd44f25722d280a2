"""`stylize-keyframe` on videos: one frame or a series of key frames, named and kept."""

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install stylecast[train]")

from PIL import Image  # noqa: E402

from tests.media import MediaWriter, numbered, read_number  # noqa: E402
from tests.training.keyframe_command import Run  # noqa: E402


def test_a_frame_of_a_video_is_chosen_by_number_or_time(run_keyframe: Run, tmp_path: Path) -> None:
    writer = MediaWriter(tmp_path / "in.mp4")
    writer.video(pts=range(20))
    writer.write()

    # With next to no weight of style the frame comes out as it went in.
    plain = ("--style-weight", "0", "--overwrite")
    for choice, number in ((("--frame", "7"), 7), (("--at", "0.4"), 10), (("--at", "0"), 0)):
        assert run_keyframe(*choice, *plain, content=tmp_path / "in.mp4") == 0
        made = Image.open(tmp_path / "out.png").convert("RGB")
        assert read_number(np.array(made)) == number


def test_key_frames_are_named_by_number_and_follow_one_another_within_a_scene(
    run_keyframe: Run, clip: Path, tmp_path: Path
) -> None:
    assert run_keyframe("--auto", "4", "-o", tmp_path / "keys", "--report", tmp_path / "report.json", content=clip) == 0

    made = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["keyframes"]
    names = sorted(path.name for path in (tmp_path / "keys").glob("*.png"))
    assert names == [f"{figures['frame']:06}.png" for figures in made]
    assert [figures["frame"] < 12 for figures in made] == [True, True, False, False]
    assert [figures["follows"] for figures in made] == [False, True, False, True]


def test_frames_are_painted_by_number_as_those_that_are_chosen(run_keyframe: Run, clip: Path, tmp_path: Path) -> None:
    assert run_keyframe("--auto", "3", "-o", tmp_path / "keys", content=clip) == 0
    chosen = sorted((tmp_path / "keys").glob("*.png"))
    numbers = ",".join(path.stem for path in reversed(chosen))

    assert run_keyframe("--frames", numbers, "-o", tmp_path / "named", content=clip) == 0

    named = sorted((tmp_path / "named").glob("*.png"))
    assert [path.name for path in named] == [path.name for path in chosen]
    assert [path.read_bytes() for path in named] == [path.read_bytes() for path in chosen]


def test_a_frame_that_the_video_does_not_have_is_told(
    run_keyframe: Run, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_keyframe("--frames", "3,24", "-o", tmp_path / "keys", content=clip) == 1

    assert "has no frame 24; its last one is 23" in capsys.readouterr().err
    assert not list((tmp_path / "keys").iterdir()), "the right numbers would be another series"


def test_the_folder_may_be_the_present_one(
    run_keyframe: Run, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "keys").mkdir()
    monkeypatch.chdir(tmp_path / "keys")

    assert run_keyframe("--frames", "3", "-o", ".", "--preview-every", "2", content=clip) == 0

    assert (tmp_path / "keys" / "000003.png").is_file()
    assert [path.name for path in tmp_path.glob("keys-*")] == ["keys-000003-43x32-0002.png"]


def test_a_series_without_following_starts_from_the_content(run_keyframe: Run, clip: Path, tmp_path: Path) -> None:
    keys = ("--auto", "4", "-o", tmp_path / "keys", "--start", "content", "--report", tmp_path / "report.json")
    assert run_keyframe(*keys, content=clip) == 0

    made = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["keyframes"]
    assert not any(figures["follows"] for figures in made)


def test_pictures_in_the_folder_are_kept(
    run_keyframe: Run, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "000003.png").write_bytes(b"precious")

    assert run_keyframe("--auto", "2", "-o", tmp_path / "keys", content=clip) == 2

    assert "000003.png; add --overwrite" in capsys.readouterr().err


def test_a_video_without_a_moment_is_refused(
    run_keyframe: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_keyframe(content=tmp_path / "in.mp4") == 2

    assert "--at TIME or --frame N" in capsys.readouterr().err


def test_a_frame_beyond_the_end_is_told(run_keyframe: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    writer = MediaWriter(tmp_path / "in.mp4")
    writer.video(pts=range(5))
    writer.write()

    assert run_keyframe("--frame", "5", content=tmp_path / "in.mp4") == 2

    assert "has no frame 5" in capsys.readouterr().err


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_frame_is_upright_with_square_pixels(degrees: int, tmp_path: Path) -> None:
    from fractions import Fraction

    import av

    from realtime.video_still import read_still

    path = tmp_path / "in.mp4"
    writer = MediaWriter(path)
    writer.video(sample_aspect_ratio=Fraction(2)).set_display_rotation(degrees)
    writer.write()
    with av.open(str(path)) as container:
        rotation = next(container.decode(video=0)).rotation

    still = np.array(read_still(path, number=5))

    expected = np.rot90(np.repeat(numbered(5), 2, axis=1), rotation // 90)
    assert still.shape == expected.shape
    assert np.abs(still.astype(int) - expected).mean() < 8
