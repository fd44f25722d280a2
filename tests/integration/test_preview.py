"""`stylize preview`: some frames of a video, or a picture, in several styles on one sheet."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from realtime.catalogue import is_any_style, load_catalogue
from realtime.cli import main
from realtime.picture import read_picture
from realtime.preview import CELL_SIDE_MAX_PX
from tests.media import SIZE, MediaWriter, Picture, numbered, read_number, write_clip

WIDTH, HEIGHT = SIZE
ON_CPU = "--engine", "onnxruntime", "--device", "cpu"


def _preview(*arguments: object) -> int:
    return main(["preview", *map(str, arguments), *ON_CPU])


def _cells(sheet: Path, *, rows: int, columns: int) -> list[list[Picture]]:
    """Return the lower halves of the cells of a sheet, which no label covers."""
    rgb = read_picture(sheet).rgb
    assert rgb.shape[0] % rows == rgb.shape[1] % columns == 0
    return [[cell[len(cell) // 2 :] for cell in np.split(row, columns, axis=1)] for row in np.split(rgb, rows, axis=0)]


def test_a_row_for_the_input_and_each_style_and_a_column_for_each_moment(
    tmp_path: Path, identity_style: Path, invert_style: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip, sheet = write_clip(tmp_path / "in.mp4", frames=60), tmp_path / "sheet.png"

    assert _preview(clip, sheet, "--style", invert_style, "--style", identity_style) == 0

    before, inverted, same = _cells(sheet, rows=3, columns=3)
    assert [read_number(cell) for cell in before] == [10, 30, 50]  # the middles of three thirds
    assert all(np.array_equal(painted, 255 - cell) for painted, cell in zip(inverted, before, strict=True))
    assert all(np.array_equal(painted, cell) for painted, cell in zip(same, before, strict=True))
    assert f"{sheet}: {3 * WIDTH}x{3 * HEIGHT}; styles: 2, frames: 3" in capsys.readouterr().err


def test_the_range_the_strength_and_the_number_of_frames_are_those_asked_for(
    tmp_path: Path, invert_style: Path
) -> None:
    clip, sheet = write_clip(tmp_path / "in.mp4", frames=60), tmp_path / "sheet.png"
    options = ["--style", invert_style, "--start", "0.8", "--end", "1.6", "--frames", 2, "--strength", 0]

    assert _preview(clip, sheet, *options) == 0

    before, painted = _cells(sheet, rows=2, columns=2)
    assert [read_number(cell) for cell in before] == [25, 35]
    assert np.array_equal(painted, before)


@pytest.mark.parametrize("frames", [1, 5])
def test_a_clip_with_fewer_frames_than_asked_for_shows_each_once(
    frames: int, tmp_path: Path, identity_style: Path
) -> None:
    clip, sheet = write_clip(tmp_path / "in.mp4", frames=frames), tmp_path / "sheet.png"

    assert _preview(clip, sheet, "--style", identity_style, "--frames", 12) == 0

    before, _ = _cells(sheet, rows=2, columns=frames)
    assert [read_number(cell) for cell in before] == list(range(frames))


def test_what_is_on_screen_is_shown_also_at_few_frames_a_second(tmp_path: Path, identity_style: Path) -> None:
    clip, sheet = write_clip(tmp_path / "in.mp4", pts=[0, 25, 50], rate=Fraction(1)), tmp_path / "sheet.png"

    assert _preview(clip, sheet, "--style", identity_style) == 0

    before, _ = _cells(sheet, rows=2, columns=3)
    assert [read_number(cell) for cell in before] == [0, 1, 2]


def test_a_file_that_is_cut_off_is_shown_as_far_as_it_goes(
    tmp_path: Path, identity_style: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = write_clip(tmp_path / "whole.mkv", frames=100, audio=False).read_bytes()
    clip, sheet = tmp_path / "in.mkv", tmp_path / "sheet.png"
    clip.write_bytes(whole[: len(whole) * 2 // 5])

    assert _preview(clip, sheet, "--style", identity_style) == 0

    before, _ = _cells(sheet, rows=2, columns=3)
    first, middle, last = map(read_number, before)
    assert 0 < first < middle < last < 50
    assert capsys.readouterr().err.count("note: the file is shorter than it says") == 1


def test_frames_stand_upright_and_are_made_small(tmp_path: Path, identity_style: Path) -> None:
    writer = MediaWriter(tmp_path / "in.mp4")
    writer.video(size=(1280, 720), pts=range(3)).set_display_rotation(90)
    sheet = tmp_path / "sheet.png"

    assert _preview(writer.write(), sheet, "--style", identity_style, "--frames", 1) == 0

    assert read_picture(sheet).rgb.shape == (2 * CELL_SIDE_MAX_PX, CELL_SIDE_MAX_PX * 720 // 1280, 3)


def test_a_picture_has_one_column(tmp_path: Path, invert_style: Path) -> None:
    picture = tmp_path / "in.png"
    Image.fromarray(numbered(200)).save(picture)

    assert _preview(picture, tmp_path / "sheet.png", "--style", invert_style, "--shifts", 2) == 0

    (before,), (painted,) = _cells(tmp_path / "sheet.png", rows=2, columns=1)
    assert read_number(before) == 200
    assert np.array_equal(painted, 255 - before)


@pytest.mark.usefixtures("any_style_catalogue")
def test_without_a_style_all_are_shown_and_a_damaged_one_of_the_users_is_told(
    tmp_path: Path, user_styles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    user_styles.mkdir()
    cards = [
        {
            "name": name,
            "title": name,
            "file": f"{name}.onnx",
            "sha256": "0" * 64,
            "size_bytes": 3,
            "kind": "feed-forward",
        }
        for name in ("dawn", "dusk")
    ]
    for card in cards:
        (user_styles / str(card["file"])).write_bytes(b"cut")
    (user_styles / "catalogue.json").write_text(json.dumps({"schema": 1, "styles": cards}), encoding="utf-8")
    clip = write_clip(tmp_path / "in.mp4")

    assert _preview(clip, tmp_path / "sheet.png", "--frames", 1) == 0

    told = capsys.readouterr().err
    assert "note: the weights of style dawn are damaged" in told
    assert "note: the weights of style dusk are damaged" in told
    shown = [style.name for style in load_catalogue().values() if not is_any_style(style)]
    assert [line.removesuffix(": painted") for line in told.splitlines() if line.endswith("painted")] == shown
    assert read_picture(tmp_path / "sheet.png").rgb.shape == ((1 + len(shown)) * HEIGHT, WIDTH, 3)


def test_what_cannot_be_shown_is_one_line_and_replaces_nothing(
    tmp_path: Path, identity_style: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip, sheet = write_clip(tmp_path / "in.mp4"), tmp_path / "sheet.png"
    sheet.write_bytes(b"mine")
    Image.fromarray(numbered(3)).save(picture := tmp_path / "in.png")
    style = "--style", identity_style
    many = []
    for number in range(16_384 // HEIGHT):
        (other := tmp_path / f"{number}.onnx").write_bytes(b"")
        many += ["--style", other]
    for arguments, words, code in (
        ([clip, sheet, *style], "exists", 2),
        ([clip, sheet, "--overwrite", "--style", "no-such-style"], "no-such-style", 2),
        ([clip, sheet, "--overwrite", "--style", sheet], "would overwrite", 2),
        ([clip, clip, "--overwrite", *style], "must end in", 2),
        ([clip, tmp_path / "none" / "sheet.png", *style], "does not exist", 1),
        ([clip, sheet, "--overwrite", "--start", "100", *style], "no frame", 1),
        ([clip, sheet, "--overwrite", "--start", "0.2", "--end", "0.1", *style], "must be after --start", 2),
        ([picture, sheet, "--overwrite", "--start", "1", *style], "is a picture", 2),
        ([clip, tmp_path / "sheet.webp", *many], "more than the 16383 px of a .webp", 2),
        ([tmp_path / "none.mp4", sheet, "--overwrite", *style], "not found", 1),
        ([identity_style, sheet, "--overwrite", *style], str(identity_style), 1),
    ):
        assert _preview(*arguments) == code, arguments
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert words in error
    for frames in ("0", "13", "some"):
        with pytest.raises(SystemExit, match="2"):
            _preview(clip, sheet, "--frames", frames)
    assert sheet.read_bytes() == b"mine"
