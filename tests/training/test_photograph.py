"""Photographs: no bad file stops a run, and the same seed gives the same crops."""

import io
import logging
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install stylecast[train]")

from PIL import Image  # noqa: E402

from training.photograph import PhotographFolder, list_pictures, load_picture  # noqa: E402

SIDE_PX = 16


def _photograph(seed: int = 1, size: tuple[int, int] = (40, 30)) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(noise)


def _folder(path: Path, seed: int = 1) -> PhotographFolder:
    return PhotographFolder(path, side_px=SIDE_PX, length=100, seed=seed)


def _png_with_a_broken_chunk() -> bytes:
    buffer = io.BytesIO()
    _photograph(size=(200, 200)).save(buffer, "PNG")
    content = bytearray(buffer.getvalue())
    content[len(content) // 2 :] = b"\0" * (len(content) - len(content) // 2)
    return bytes(content)


ODD_FILES = {
    "grey.png": lambda path: _photograph().convert("L").save(path),
    "grey-16.png": lambda path: Image.fromarray(np.full((30, 40), 30000, np.uint16)).save(path),
    "one-bit.png": lambda path: _photograph().convert("1").save(path),
    "palette.png": lambda path: _photograph().convert("P").save(path),
    "transparent.png": lambda path: _photograph().convert("RGBA").save(path),
    "cmyk.jpg": lambda path: _photograph().convert("CMYK").save(path),
    "one-pixel.png": lambda path: _photograph(size=(1, 1)).save(path),
    "line.png": lambda path: _photograph(size=(300, 1)).save(path),
    "tower.bmp": lambda path: _photograph(size=(2, 500)).save(path),
    "upper-case.JPG": lambda path: _photograph().save(path, "JPEG"),
}
BAD_FILES = {
    "empty.jpg": b"",
    "text.png": b"this is no picture",
    "broken.png": _png_with_a_broken_chunk(),
}


@pytest.mark.parametrize("name", ODD_FILES)
def test_odd_picture_is_cropped_like_any_other(tmp_path: Path, name: str) -> None:
    ODD_FILES[name](tmp_path / name)

    crops = [_folder(tmp_path)[index] for index in range(5)]

    assert {tuple(crop.shape) for crop in crops} == {(3, SIDE_PX, SIDE_PX)}
    assert {crop.dtype for crop in crops} == {torch.float32}
    assert min(crop.min() for crop in crops) >= 0
    assert max(crop.max() for crop in crops) <= 1


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_file_is_replaced_and_named_once(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / name).write_bytes(BAD_FILES[name])
    _photograph().save(tmp_path / "good.png")
    folder = _folder(tmp_path)

    with caplog.at_level(logging.WARNING):
        crops = [folder[index] for index in range(20)]

    assert len(crops) == 20
    assert [record.getMessage().startswith(f"skipping {tmp_path / name}") for record in caplog.records] == [True]


def test_truncated_photograph_is_replaced(tmp_path: Path) -> None:
    _photograph(size=(200, 200)).save(tmp_path / "cut.jpg")
    content = (tmp_path / "cut.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(content[: len(content) // 2])
    Image.new("RGB", (40, 40), (255, 0, 0)).save(tmp_path / "red.png")

    folder = _folder(tmp_path)

    red = torch.tensor([1.0, 0.0, 0.0]).view(3, 1, 1).expand(3, SIDE_PX, SIDE_PX)
    assert all(torch.equal(folder[index], red) for index in range(10))


def test_folder_of_bad_files_is_an_error_and_no_endless_search(tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"no picture")

    with pytest.raises(ValueError, match=r"50 files in a row could not be read; the last was .*bad\.jpg"):
        _folder(tmp_path)[0]


def test_folder_without_pictures_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")

    with pytest.raises(FileNotFoundError, match=r"no pictures \(.*\.png.*\) below"):
        _folder(tmp_path)


def test_pictures_below_folders_are_found_in_order(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for name in ("b/2.png", "a.jpg", "b/1.webp"):
        _photograph().save(tmp_path / name)

    assert [str(path.relative_to(tmp_path)) for path in list_pictures(tmp_path)] == ["a.jpg", "b/1.webp", "b/2.png"]


def test_photograph_that_the_camera_turned_stands_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    _photograph(size=(40, 30)).save(tmp_path / "turned.png", exif=exif)

    picture = load_picture(tmp_path / "turned.png")

    assert picture.size == (30, 40)
    assert np.array_equal(np.asarray(picture), np.rot90(np.asarray(_photograph(size=(40, 30))), -1))


@pytest.mark.parametrize(("size", "scaled"), [((40, 30), (21, 16)), ((30, 40), (16, 21)), ((400, 2), (3200, 16))])
def test_picture_is_scaled_by_its_short_side(tmp_path: Path, size: tuple[int, int], scaled: tuple[int, int]) -> None:
    _photograph(size=size).save(tmp_path / "x.png")

    assert load_picture(tmp_path / "x.png", short_side_px=16).size == scaled


def test_item_depends_on_seed_and_index_alone(pictures: Path) -> None:
    first, again, other = _folder(pictures), _folder(pictures), _folder(pictures, seed=2)
    items = [first[index] for index in range(8)]

    assert all(torch.equal(again[index], items[index]) for index in reversed(range(8)))
    assert not any(torch.equal(other[index], items[index]) for index in range(8))
    assert len({item.numpy().tobytes() for item in items}) == 8
