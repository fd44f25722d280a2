"""`stylize-image`: pictures in, pictures out, with the safety of the video command."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from realtime.cli_image import main
from realtime.picture import read_picture

ORIENTATION = 0x112
LEFT_OUT = "--engine", "onnxruntime", "--device", "cpu"
# Grey levels by which a JPEG or WebP of good quality may lie off on average.
LOSSY_LEVELS = 3.0


def _picture(height: int = 37, width: int = 53) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    y, x = np.mgrid[0:height, 0:width]
    return np.dstack((x * 4, y * 5, x + y)).clip(0, 255).astype(np.uint8)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(_picture()).save("in.png")
    return tmp_path


def _run(*arguments: object, style: object) -> int:
    return main([*map(str, arguments), *LEFT_OUT, "--style", str(style)])


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".JPEG", ".webp"])
def test_picture_is_stylised_at_its_own_size(suffix: str, folder: Path, invert_style: Path) -> None:
    assert _run("in.png", f"out{suffix}", style=invert_style) == 0

    made = read_picture(folder / f"out{suffix}").rgb
    assert np.abs(made.astype(int) - (255 - _picture())).mean() < (0.001 if suffix == ".png" else LOSSY_LEVELS)


def test_picture_on_its_side_comes_out_upright(folder: Path, identity_style: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    Image.fromarray(_picture()).save("side.png", exif=exif)

    assert _run("side.png", "out.png", style=identity_style) == 0

    with Image.open("out.png") as image:
        assert ORIENTATION not in image.getexif()
        assert np.array_equal(np.asarray(image), np.rot90(_picture(), -1))


def test_transparency_is_kept_or_put_on_white_with_a_note(
    folder: Path, invert_style: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alpha = np.zeros((37, 53), np.uint8)
    alpha[:, 20:] = 255
    Image.fromarray(np.dstack((_picture(), alpha))).save("logo.png")

    assert _run("logo.png", "out.png", style=invert_style) == 0
    assert capsys.readouterr().err.count("note:") == 0
    assert _run("logo.png", "out.jpg", style=invert_style) == 0

    made = read_picture(folder / "out.png")
    assert made.alpha is not None
    assert np.array_equal(made.alpha, alpha)
    assert np.array_equal(made.rgb[:, 20:], 255 - _picture()[:, 20:])
    assert ".jpg holds no transparency" in capsys.readouterr().err
    assert read_picture(folder / "out.jpg").rgb[:, :10].min() > 240


def test_side_by_side_a_transparent_picture_is_transparent_twice(folder: Path, invert_style: Path) -> None:
    alpha = np.arange(37 * 53, dtype=np.uint32).reshape(37, 53).astype(np.uint8)
    Image.fromarray(np.dstack((_picture(), alpha))).save("logo.png")

    assert _run("logo.png", "out.png", "--split", "side", style=invert_style) == 0

    made = read_picture(folder / "out.png")
    assert made.rgb.shape == (37, 106, 3)
    assert np.array_equal(made.rgb[:, :53], _picture())
    assert np.array_equal(made.rgb[:, 53:], 255 - _picture())
    assert made.alpha is not None
    assert np.array_equal(made.alpha, np.hstack((alpha, alpha)))


@pytest.mark.parametrize("strength", [0, 0.5, 1])
def test_strength_works_as_for_video(strength: float, folder: Path, invert_style: Path) -> None:
    assert _run("in.png", "out.png", "--strength", strength, style=invert_style) == 0

    wanted = strength * (255.0 - _picture()) + (1 - strength) * _picture()
    assert np.abs(read_picture(folder / "out.png").rgb - wanted).max() <= 0.51


@pytest.mark.usefixtures("any_style_catalogue")
def test_pictures_are_the_style_of_a_picture(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (30, 30), (200, 60, 80)).save("red.jpg", quality=97)
    Image.new("RGB", (30, 30), (40, 60, 200)).save("blue.png")

    code = main(["in.png", "out.png", "--style", "red.jpg", "--style", "blue.png", "--mix", "1,3", *LEFT_OUT])

    assert code == 0
    assert np.abs(read_picture(folder / "out.png").rgb.astype(int) - [80, 60, 170]).max() <= 3
    assert "out.png: 53x37 in" in (text := capsys.readouterr().err)
    assert "colours: 25 % red.jpg, 75 % blue.png; ONNX Runtime" in text


def test_folder_goes_into_a_folder_and_one_bad_file_does_not_stop_it(
    folder: Path, invert_style: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "in").mkdir()
    Image.fromarray(_picture()).save("in/a.jpg")
    (folder / "in" / "b.png").write_text("no picture")
    Image.fromarray(_picture()).save("in/c.tif")
    (folder / "in" / "notes.txt").touch()

    assert _run("in", "out", style=invert_style) == 1

    assert sorted(path.name for path in (folder / "out").iterdir()) == ["a.jpg", "c.png"]
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"{Path('in/b.png')}: FAILED: ")
    (folder / "in" / "b.png").unlink()

    assert _run("in", "out", style=invert_style) == 0

    assert f"{Path('in/a.jpg')}: skipped: {Path('out/a.jpg')} exists" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["in.png"], 2, "give at least one input and the output"),
        (["in.png", "in.png", "--overwrite"], 2, "same file"),
        (["in.png", "old.png"], 2, "add --overwrite"),
        (["in.png", "out.tif"], 2, "must end in .png, .jpg, .jpeg, .webp"),
        (["in.png", "nowhere/out.png"], 1, "does not exist"),
        (["nowhere.png", "out.png"], 1, "not found"),
        (["text.png", "out.png"], 1, "not a picture that can be read"),
        (["text.png", "old.png", "--overwrite"], 1, "not a picture that can be read"),
        (["in.png", "text.png", "out.png"], 2, "need a folder as output"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_work_is_one_line_and_leaves_no_trace(
    arguments: list[str],
    code: int,
    words: str,
    folder: Path,
    identity_style: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (folder / "old.png").write_bytes(b"precious")
    (folder / "text.png").write_text("no picture")
    before = sorted(path.name for path in folder.iterdir())

    assert _run(*arguments, style=identity_style) == code

    text = capsys.readouterr().err
    assert text.count("\n") == 1, text
    assert words in text
    assert (folder / "old.png").read_bytes() == b"precious"
    assert sorted(path.name for path in folder.iterdir()) == before


@pytest.mark.usefixtures("any_style_catalogue")
def test_picture_of_the_style_is_not_overwritten(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (30, 30)).save("style.png")
    content = (folder / "style.png").read_bytes()

    assert main(["in.png", "style.png", "--style", "style.png", "--overwrite", *LEFT_OUT]) == 2

    assert "would overwrite style.png" in capsys.readouterr().err
    assert (folder / "style.png").read_bytes() == content


def test_existing_picture_is_replaced_when_told(folder: Path, invert_style: Path) -> None:
    (folder / "old.png").write_bytes(b"precious")

    assert _run("in.png", "old.png", "--overwrite", style=invert_style) == 0

    assert np.array_equal(read_picture(folder / "old.png").rgb, 255 - _picture())


def test_picture_too_large_for_webp_leaves_nothing(
    folder: Path, identity_style: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (16_400, 2)).save("wide.png")

    assert _run("wide.png", "out.webp", style=identity_style) == 1

    assert capsys.readouterr().err.startswith("stylize-image: cannot write out.webp: ")
    assert not (folder / "out.webp").exists()


def test_command_of_its_own_tells_its_options() -> None:
    code = "import sys; from realtime.cli_image import main; sys.exit(main(['--help']))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)

    assert done.returncode == 0
    assert "--mix W,W..." in done.stdout
    assert "--crf" not in done.stdout
    assert "--smoothing" not in done.stdout
