"""Photographs: no bad file stops a run, and the same seed gives the same crops."""

import io
import logging
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install stylecast[train]")

from PIL import Image, ImageCms  # noqa: E402

from training.photograph import (  # noqa: E402
    PictureFolder,
    UnreadablePictureError,
    is_listed,
    list_pictures,
    load_picture,
    random_crop,
    read_names,
    without_excluded,
)

SIDE_PX = 16


def _photograph(seed: int = 1, size: tuple[int, int] = (40, 30)) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(noise)


def _crops(path: Path, count: int) -> list["torch.Tensor"]:
    folder = PictureFolder(list_pictures(path))
    random = np.random.default_rng(1)
    return [random_crop(folder.draw(random, side_min_px=SIDE_PX)[1], SIDE_PX, random) for _ in range(count)]


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

    crops = _crops(tmp_path, 5)

    assert {tuple(crop.shape) for crop in crops} == {(3, SIDE_PX, SIDE_PX)}
    assert {crop.dtype for crop in crops} == {torch.float32}
    assert min(crop.min() for crop in crops) >= 0
    assert max(crop.max() for crop in crops) <= 1


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_file_is_replaced_and_named_once(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / name).write_bytes(BAD_FILES[name])
    _photograph().save(tmp_path / "good.png")

    with caplog.at_level(logging.WARNING):
        crops = _crops(tmp_path, 20)

    assert len(crops) == 20
    assert [record.getMessage().startswith(f"skipping {tmp_path / name}") for record in caplog.records] == [True]


def test_what_is_no_file_stops_no_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    _photograph().save(tmp_path / "good.png")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "moved.jpg").symlink_to(tmp_path / "nowhere.jpg")
    assert [path.name for path in list_pictures(tmp_path)] == ["good.png"]

    folder = PictureFolder([tmp_path / "good.png", tmp_path / "gone.jpg"])  # deleted in the meantime
    random = np.random.default_rng(0)
    numbers = {folder.draw(random, side_min_px=8)[0] for _ in range(20)}

    assert numbers == {0}
    assert len(caplog.records) == 1


def test_colours_are_those_that_the_profile_means(tmp_path: Path) -> None:
    """The profile of the file has the primaries of red and green exchanged."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = (profile.index(tag, 128) for tag in (b"rXYZ", b"gXYZ"))
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    Image.new("RGB", (8, 8), (220, 10, 10)).save(tmp_path / "red.png", icc_profile=bytes(profile))
    Image.new("RGB", (8, 8), (220, 10, 10)).save(tmp_path / "damaged.png", icc_profile=b"no profile")

    assert load_picture(tmp_path / "red.png").getpixel((0, 0)) == pytest.approx((10, 220, 10), abs=3)
    assert load_picture(tmp_path / "damaged.png").getpixel((0, 0)) == (220, 10, 10)


def test_truncated_photograph_is_replaced(tmp_path: Path) -> None:
    _photograph(size=(200, 200)).save(tmp_path / "cut.jpg")
    content = (tmp_path / "cut.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(content[: len(content) // 2])
    Image.new("RGB", (40, 40), (255, 0, 0)).save(tmp_path / "red.png")

    red = torch.tensor([1.0, 0.0, 0.0]).view(3, 1, 1).expand(3, SIDE_PX, SIDE_PX)
    assert all(torch.equal(crop, red) for crop in _crops(tmp_path, 10))


def test_folder_of_bad_files_is_an_error_and_no_endless_search(tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"no picture")

    with pytest.raises(ValueError, match=r"50 files in a row could not be read; the last: .*bad\.jpg"):
        _crops(tmp_path, 1)


def test_folder_without_pictures_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")

    with pytest.raises(FileNotFoundError, match=r"no pictures \(.*\.png.*\) below"):
        list_pictures(tmp_path)


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


def test_grey_levels_of_16_bits_are_scaled_and_not_clipped(tmp_path: Path) -> None:
    levels = np.array([[0, 257 * 100], [30000, 65535]], np.uint16)
    Image.fromarray(levels).save(tmp_path / "grey.png")

    picture = np.asarray(load_picture(tmp_path / "grey.png"))

    assert picture[..., 0].tolist() == [[0, 100], [117, 255]]


def test_what_is_transparent_lies_on_white(tmp_path: Path) -> None:
    Image.new("RGBA", (4, 4), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    Image.new("LA", (4, 4), (0, 255)).save(tmp_path / "black.png")

    assert load_picture(tmp_path / "clear.png").getpixel((0, 0)) == (255, 255, 255)
    assert load_picture(tmp_path / "black.png").getpixel((0, 0)) == (0, 0, 0)


def test_picture_beyond_the_limit_against_bombs_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _photograph(size=(40, 40)).save(tmp_path / "bomb.png")
    _photograph(size=(10, 10)).save(tmp_path / "small.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # 1,600 pixels only warn, 2,000 would be an error

    with caplog.at_level(logging.WARNING):
        _crops(tmp_path, 20)

    assert [record.getMessage() for record in caplog.records if "bomb.png" in record.getMessage()]
    assert len(caplog.records) == 1


def test_picture_of_unknown_range_is_named(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4, 4), np.float32)).save(tmp_path / "float.tif")

    with pytest.raises(UnreadablePictureError, match=r"float\.tif: floating-point"):
        load_picture(tmp_path / "float.tif")


def test_large_jpeg_is_decoded_smaller_but_not_below_what_is_asked_for(tmp_path: Path) -> None:
    _photograph(size=(640, 400)).save(tmp_path / "large.jpg")

    assert load_picture(tmp_path / "large.jpg", side_min_px=100).size == (160, 100)
    assert load_picture(tmp_path / "large.jpg", side_min_px=101).size == (320, 200)
    assert load_picture(tmp_path / "large.jpg").size == (640, 400)


def test_pictures_to_look_at_are_spread_over_the_folder_and_skip_bad_ones(
    pictures: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")

    with caplog.at_level(logging.WARNING):
        shown = PictureFolder([tmp_path / "bad.png", *list_pictures(pictures)]).spread(2, side_px=8)

    assert shown.shape == (2, 3, 8, 8)
    assert not torch.equal(shown[0], shown[1])
    assert len(caplog.records) == 1
    with pytest.raises(ValueError, match=r"none of 1 pictures could be read; the first is .*bad\.png"):
        PictureFolder([tmp_path / "bad.png"]).spread(2, side_px=8)


def test_pictures_to_look_at_are_as_sharp_as_their_size_allows(tmp_path: Path) -> None:
    checks = np.indices((256, 256)).sum(axis=0) // 8 % 2 * 255
    Image.fromarray(np.dstack([checks] * 3).astype(np.uint8)).save(tmp_path / "checks.jpg", quality=95)

    shown = PictureFolder([tmp_path / "checks.jpg"]).spread(1, side_px=256)

    assert shown.std() > 0.45


def test_photographs_on_the_list_are_held_out(pictures: Path, tmp_path: Path) -> None:
    files = list_pictures(pictures)
    (tmp_path / "val.txt").write_text("1.png\n3.png\n", encoding="utf-8")

    assert [path.name for path in without_excluded(files, tmp_path / "val.txt")] == ["0.png", "2.png", "4.png"]


def test_a_path_in_a_list_holds_out_none_of_its_namesakes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        _photograph().save(tmp_path / name / "1.png")
    (tmp_path / "val.txt").write_text(f"{tmp_path / 'a' / '1.png'}\n", encoding="utf-8")

    assert without_excluded(list_pictures(tmp_path), tmp_path / "val.txt") == [tmp_path / "b" / "1.png"]
    assert is_listed(tmp_path / "a" / "1.png", read_names(tmp_path / "val.txt"))


def test_list_that_holds_out_nothing_or_all_is_an_error(pictures: Path, tmp_path: Path) -> None:
    files = list_pictures(pictures)
    (tmp_path / "typo.txt").write_text("1.jpg\n", encoding="utf-8")
    (tmp_path / "all.txt").write_text("\n".join(path.name for path in files), encoding="utf-8")

    with pytest.raises(ValueError, match=r"typo\.txt names none of the 5 photographs, such as 0\.png"):
        without_excluded(files, tmp_path / "typo.txt")
    with pytest.raises(ValueError, match=r"all\.txt names all of the 5"):
        without_excluded(files, tmp_path / "all.txt")


def test_names_in_a_list_may_hold_spaces(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("my cat.jpg\r\n\nb.png\n", encoding="utf-8")

    assert read_names(tmp_path / "list.txt") == {"my cat.jpg", "b.png"}
