"""Pictures as they come: every usual format is read upright in sRGB, what is damaged or too large is one clear line."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageCms

from realtime import picture as picture_module
from realtime.errors import InputError
from realtime.picture import SAVE_OPTIONS, Picture, over_white, read_picture, write_picture

ORIENTATION, MAKER = 0x112, 0x10F
# How `orientation` says that the stored pixels must be turned.
UPRIGHT_OF_ORIENTATION: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    1: lambda stored: stored,
    2: np.fliplr,
    3: lambda stored: np.rot90(stored, 2),
    4: np.flipud,
    5: lambda stored: np.swapaxes(stored, 0, 1),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: np.rot90(np.swapaxes(stored, 0, 1), 2),
    8: np.rot90,
}
# Mean grey levels: lossy formats at good quality on soft pictures, CMYK once there and back.
LOSSY_LEVELS = 4.0


def _soft(height: int = 40, width: int = 64) -> NDArray[np.uint8]:
    cells = np.random.default_rng(3).integers(30, 226, (3, 4, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(cells, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def _exif(**tags: int | str) -> Image.Exif:
    exif = Image.Exif()
    for name, value in tags.items():
        exif[{"orientation": ORIENTATION, "maker": MAKER}[name]] = value
    return exif


def _mean_difference(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    return float(np.abs(first.astype(int) - second.astype(int)).mean())


@pytest.mark.parametrize("orientation", UPRIGHT_OF_ORIENTATION)
@pytest.mark.parametrize(
    ("suffix", "options"), [(".png", {}), (".webp", {"lossless": True}), (".jpg", {"quality": 97})]
)
def test_orientation_is_applied(orientation: int, suffix: str, options: dict[str, Any], tmp_path: Path) -> None:
    stored = _soft()
    path = tmp_path / f"picture{suffix}"
    Image.fromarray(stored).save(path, exif=_exif(orientation=orientation), **options)

    picture = read_picture(path)

    upright = UPRIGHT_OF_ORIENTATION[orientation](stored)
    assert picture.rgb.shape == upright.shape
    assert _mean_difference(picture.rgb, upright) < (LOSSY_LEVELS if suffix == ".jpg" else 0.01)
    assert picture.rgb.flags.c_contiguous


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".tif", ".avif"])
def test_content_decides_and_not_the_suffix(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"picture{suffix}"
    Image.fromarray(_soft()).save(path)
    renamed = path.rename(tmp_path / "picture.xyz")

    picture = read_picture(renamed)

    assert _mean_difference(picture.rgb, _soft()) < LOSSY_LEVELS
    assert (picture.alpha, picture.notes) == (None, ())


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "YCbCr", "LAB"])
def test_other_colour_models_become_rgb(mode: str, tmp_path: Path) -> None:
    source = Image.fromarray(_soft()).convert(mode)
    path = tmp_path / f"picture{'.tif' if mode in ('CMYK', 'YCbCr', 'LAB') else '.png'}"
    source.save(path)

    assert _mean_difference(read_picture(path).rgb, np.asarray(source.convert("RGB"))) < LOSSY_LEVELS


def test_cmyk_jpeg_has_the_colours_that_were_printed(tmp_path: Path) -> None:
    Image.fromarray(_soft()).convert("CMYK").save(tmp_path / "print.jpg", quality=97)

    assert _mean_difference(read_picture(tmp_path / "print.jpg").rgb, _soft()) < LOSSY_LEVELS


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_become_eight(suffix: str, channels: int, tmp_path: Path) -> None:
    levels = _soft()[..., :channels].astype(np.uint16) * 257
    cv2.imwrite(str(tmp_path / f"deep{suffix}"), np.squeeze(levels[..., ::-1]))

    rgb = read_picture(tmp_path / f"deep{suffix}").rgb

    assert np.array_equal(rgb, np.broadcast_to(_soft()[..., :channels], rgb.shape))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_is_kept_and_can_be_put_on_white(mode: str, tmp_path: Path) -> None:
    pixels = np.dstack((_soft(), np.full((40, 64), 255, np.uint8)))
    pixels[:, :32, 3] = 0
    image = Image.fromarray(pixels).convert(mode)
    if mode == "P":
        image = Image.new("P", (64, 40), 0)
        image.putpalette([10, 20, 30, 200, 100, 50])
        image.paste(1, (32, 0, 64, 40))
        image.info["transparency"] = 0
    image.save(tmp_path / "logo.png")

    picture = read_picture(tmp_path / "logo.png")

    assert picture.alpha is not None
    assert (picture.alpha[:, :32] == 0).all()
    assert (picture.alpha[:, 32:] == 255).all()
    assert (over_white(picture)[:, :32] == 255).all()
    assert np.array_equal(over_white(picture)[:, 32:], picture.rgb[:, 32:])


def test_colour_profile_is_applied(tmp_path: Path) -> None:
    profile = _srgb_profile()
    # The red of this sRGB look-alike is where sRGB has its green.
    swapped = profile.replace(b"rXYZ", b"tXYZ").replace(b"gXYZ", b"rXYZ").replace(b"tXYZ", b"gXYZ")
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 255
    Image.fromarray(red).save(tmp_path / "red.png", icc_profile=swapped)

    assert np.abs(read_picture(tmp_path / "red.png").rgb.astype(int) - [0, 255, 0]).max() <= 1


@pytest.mark.parametrize("mode", ["LA", "RGBA", "L", "P", "RGB"])
def test_a_colour_profile_leaves_transparency_alone(mode: str, tmp_path: Path) -> None:
    """Without alpha one value of a PNG is its transparent one."""
    image = Image.fromarray(np.repeat(np.array([[200], [90]], np.uint8), 16, axis=1).repeat(8, axis=0))
    options: dict[str, Any] = {"transparency": {"L": 90, "P": 90, "RGB": (90, 90, 90)}.get(mode)}
    if mode.endswith("A"):
        image.putalpha(image.point(lambda level: 255 * (level == 200)))
        options = {}
    profile = _srgb_profile() if mode.startswith("RGB") else _grey_profile()
    image.convert(mode).save(tmp_path / "logo.png", icc_profile=profile, **options)

    picture = read_picture(tmp_path / "logo.png")

    assert picture.notes == ()
    assert picture.alpha is not None
    assert (picture.alpha[:8] == 255).all()
    assert (picture.alpha[8:] == 0).all()
    assert np.abs(picture.rgb[:8].astype(int) - 200).max() < 10


def _srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _grey_profile() -> bytes:
    """Return an ICC profile of grey with a gamma of 2.2, which Pillow cannot make."""
    white = struct.pack(">3i", *(round(value * 65536) for value in (0.9642, 1.0, 0.8249)))
    tags = {b"wtpt": b"XYZ \0\0\0\0" + white, b"kTRC": b"curv\0\0\0\0" + struct.pack(">IHxx", 1, round(2.2 * 256))}
    table, data = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        table += name + struct.pack(">II", 128 + 4 + 12 * len(tags) + len(data), len(content))
        data += content
    size = struct.pack(">I", 128 + len(table) + len(data))
    head = size + b"lcms" + bytes.fromhex("02400000") + b"mntrGRAYXYZ " + bytes(12) + b"acsp" + bytes(28) + white
    return head.ljust(128, b"\0") + table + data


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_colour_profile_that_does_not_fit_is_noted_and_left_out(mode: str, tmp_path: Path) -> None:
    profile = b"garbage" if mode == "RGB" else _srgb_profile()
    image = Image.fromarray(_soft()).convert(mode)
    image.save(tmp_path / "picture.jpg", icc_profile=profile, quality=97)

    picture = read_picture(tmp_path / "picture.jpg")

    assert picture.notes == ("its colour profile cannot be applied and is left out",)
    assert _mean_difference(picture.rgb, np.asarray(image.convert("RGB"))) < LOSSY_LEVELS


def test_first_picture_of_an_animation_is_used_and_that_is_noted(tmp_path: Path) -> None:
    first, second = Image.new("RGB", (20, 20), "red"), Image.new("RGB", (20, 20), "blue")
    first.save(tmp_path / "moving.gif", save_all=True, append_images=[second])

    picture = read_picture(tmp_path / "moving.gif")

    assert (picture.rgb == [255, 0, 0]).all()
    assert "animation" in picture.notes[0]


def _png_that_claims(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(("width", "height"), [(10_001, 10_000), (100_000, 100_000), (70_000, 1), (2**31 - 1, 2)])
def test_decompression_bomb_is_refused_before_it_is_decoded(width: int, height: int, tmp_path: Path) -> None:
    (tmp_path / "bomb.png").write_bytes(_png_that_claims(width, height))

    with pytest.raises(InputError, match=r"bomb\.png has (more than the 100000000 pixels|\d+x\d+ pixels; at most)"):
        read_picture(tmp_path / "bomb.png")


def test_large_picture_within_the_limits_is_read_without_a_warning(tmp_path: Path) -> None:
    Image.new("1", (9_500, 9_500)).save(tmp_path / "large.png")  # Pillow's own limit is 89 million

    assert read_picture(tmp_path / "large.png").rgb.shape == (9_500, 9_500, 3)


def test_file_beyond_the_limit_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_bytes(bytes(101))
    monkeypatch.setattr(picture_module, "BYTES_MAX", 100)
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail(f"{path} was read"))

    with pytest.raises(InputError, match="has 101 bytes, more than the 100"):
        read_picture(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", r"is empty \(0 bytes\)"),
        (b"no picture at all", "is not a picture that can be read"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is not a picture that can be read"),
        (b"P6 1 1 255 abc", "is not a picture that can be read"),
    ],
)
def test_what_is_no_picture_is_refused(content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(content)

    with pytest.raises(InputError, match=words):
        read_picture(tmp_path / "a.jpg")


def test_missing_file_and_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*nowhere\.jpg: No such file"):
        read_picture(tmp_path / "nowhere.jpg")
    with pytest.raises(InputError, match="is a folder"):
        read_picture(tmp_path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.data(),
    suffix=st.sampled_from([".png", ".jpg", ".webp", ".tif", ".gif", ".bmp"]),
)
def test_damaged_picture_is_a_picture_or_one_line(data: st.DataObject, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"picture{suffix}"
    Image.fromarray(_soft()).save(path, **({"exif": _exif(maker="X")} if suffix in (".jpg", ".png", ".webp") else {}))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(0, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])

    try:
        picture = read_picture(path)
    except InputError as error:
        told = str(error)
    else:
        told = f"{path} of {picture.rgb.shape}"
        assert picture.rgb.dtype == np.uint8
    assert "\n" not in told
    assert str(path) in told


@pytest.mark.parametrize("suffix", SAVE_OPTIONS)
def test_written_picture_comes_back_with_its_tags(suffix: str, tmp_path: Path) -> None:
    Image.fromarray(_soft()).save(tmp_path / "in.png", exif=_exif(orientation=6, maker="A camera"))
    picture = read_picture(tmp_path / "in.png")

    write_picture(tmp_path / "out.part", picture, suffix=suffix)

    again = read_picture(tmp_path / "out.part")
    assert _mean_difference(again.rgb, picture.rgb) < LOSSY_LEVELS
    with Image.open(tmp_path / "out.part") as image:
        assert dict(image.getexif()) == {MAKER: "A camera"}


def test_tags_that_no_jpeg_can_hold_are_left_out_with_a_note(tmp_path: Path) -> None:
    Image.fromarray(_soft()).save(tmp_path / "in.png", exif=_exif(maker="x" * 70_000, orientation=6))

    picture = read_picture(tmp_path / "in.png")
    write_picture(tmp_path / "out.jpg", picture, suffix=".jpg")

    assert picture.rgb.shape == (64, 40, 3)
    assert "EXIF data has more than" in picture.notes[0]


def test_photograph_with_a_second_one_behind_it_is_a_photograph(tmp_path: Path) -> None:
    first, second = Image.fromarray(_soft()), Image.new("RGB", (20, 20))
    first.save(tmp_path / "phone.jpg", format="MPO", save_all=True, append_images=[second], quality=97)

    picture = read_picture(tmp_path / "phone.jpg")

    assert picture.notes == ()
    assert _mean_difference(picture.rgb, _soft()) < LOSSY_LEVELS


def test_picture_without_tags_gets_none(tmp_path: Path) -> None:
    Image.fromarray(_soft()).save(tmp_path / "in.tif")
    picture = read_picture(tmp_path / "in.tif")

    write_picture(tmp_path / "out.jpg", picture, suffix=".jpg")

    with Image.open(tmp_path / "out.jpg") as image:
        assert not image.getexif()


@pytest.mark.parametrize("suffix", SAVE_OPTIONS)
def test_transparency_is_written_where_the_format_holds_it(suffix: str, tmp_path: Path) -> None:
    alpha = np.zeros((40, 64), np.uint8)
    alpha[:, :32] = 255

    write_picture(tmp_path / "out", Picture(_soft(), alpha, b"", ()), suffix=suffix)

    again = read_picture(tmp_path / "out")
    if suffix in (".jpg", ".jpeg"):
        assert again.alpha is None
        assert again.rgb[:, 40:].min() > 240
    else:
        assert again.alpha is not None
        assert np.array_equal(again.alpha, alpha)
