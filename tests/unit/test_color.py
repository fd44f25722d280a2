"""Colours: the matrices of ITU-R, both ranges, 8 and 10 bits, the guess for untagged video, and HDR to SDR."""

from fractions import Fraction
from math import prod

import av
import numpy as np
import pytest

from realtime.color import (
    BT709,
    HD_HEIGHT_MIN_PX,
    RANGE_FULL,
    RANGE_LIMITED,
    SDR_TAGS,
    TRANSFER_HLG,
    TRANSFER_PQ,
    ColorConverter,
    ColorTags,
)
from realtime.picture_filter import PictureFilter
from tests.media import Picture

SIZE = (16, 8)
BT601, BT2020 = 6, 9
UNTAGGED = ColorTags(matrix=2, range=0, primaries=2, transfer=2)
# Kr and Kb of BT.601-7 2.5.1, BT.709-6 3.2 and BT.2020-2 table 4, by matrix of H.273.
LUMA_WEIGHTS = {BT601: (0.299, 0.114), BT709: (0.2126, 0.0722), BT2020: (0.2627, 0.0593)}
# swscale calculates in fixed point: its last step may round to the neighbour.
FIXED_POINT_LEVELS = 1
# 8-bit YUV holds fewer colours than RGB: half a level of Y' and of a chroma that counts up to 2.1-fold, and the above.
ROUND_TRIP_LEVELS = 3

# 8-bit Y', Cb, Cr; all of them are inside the RGB cube for every matrix and range.
COLORS = {
    "dark grey": (40, 128, 128),
    "grey": (128, 128, 128),
    "light grey": (230, 128, 128),
    "reddish": (110, 110, 170),
    "bluish": (90, 160, 115),
    "greenish": (140, 100, 105),
}


def _frame(levels: tuple[int, int, int], pixel_format: str, size: tuple[int, int] = SIZE) -> av.VideoFrame:
    """Return a frame of one colour; `levels` are those of the pixel format's depth."""
    frame = av.VideoFrame(*size, pixel_format)
    dtype = np.uint16 if "10" in pixel_format else np.uint8
    for plane, level in zip(frame.planes, levels, strict=True):
        plane.update(np.full(plane.buffer_size // dtype().itemsize, level, dtype).tobytes())
    return frame


def _read(frame: av.VideoFrame, tags: ColorTags) -> Picture:
    return ColorConverter(tags, height=frame.height).to_rgb(frame, width=frame.width, height=frame.height)


def _tags(matrix: int, color_range: int) -> ColorTags:
    return ColorTags(matrix, color_range, BT709, BT709)


def _itu_rgb(levels: tuple[int, int, int], *, matrix: int, color_range: int, bits: int) -> list[int]:
    """Return 8-bit R'G'B' by the equations of BT.709-6 items 3.2 to 3.5 (the same in BT.601 and BT.2020)."""
    step = 2 ** (bits - 8)
    if color_range == RANGE_FULL:
        black, luma_span, chroma_span = 0, 2**bits - 1, 2**bits - 1
    else:
        black, luma_span, chroma_span = 16 * step, 219 * step, 224 * step
    luma = (levels[0] - black) / luma_span
    blue_difference, red_difference = ((level - 128 * step) / chroma_span for level in levels[1:])
    weight_red, weight_blue = LUMA_WEIGHTS[matrix]
    red = luma + 2 * (1 - weight_red) * red_difference
    blue = luma + 2 * (1 - weight_blue) * blue_difference
    green = (luma - weight_red * red - weight_blue * blue) / (1 - weight_red - weight_blue)
    return [min(255, max(0, round(255 * value))) for value in (red, green, blue)]


@pytest.mark.parametrize(
    ("levels", "rgb"),
    [
        # By hand from BT.601-7 2.5: the primaries at full strength, white at 75 %.
        pytest.param((81, 90, 240), (255, 0, 0), id="red"),
        pytest.param((145, 54, 34), (0, 255, 0), id="green"),
        pytest.param((41, 240, 110), (0, 0, 255), id="blue"),
        pytest.param((180, 128, 128), (191, 191, 191), id="75 % white"),
    ],
)
def test_colour_bars_of_bt601_have_the_colours_of_the_standard(
    levels: tuple[int, int, int], rgb: tuple[int, int, int]
) -> None:
    picture = _read(_frame(levels, "yuv444p"), _tags(BT601, RANGE_LIMITED))

    assert np.abs(picture.astype(int) - rgb).max() <= FIXED_POINT_LEVELS


@pytest.mark.parametrize("color", COLORS)
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le"])
@pytest.mark.parametrize("color_range", [RANGE_LIMITED, RANGE_FULL])
@pytest.mark.parametrize("matrix", LUMA_WEIGHTS)
def test_rgb_is_that_of_the_formulas(matrix: int, color_range: int, pixel_format: str, color: str) -> None:
    bits = 10 if "10" in pixel_format else 8
    luma, blue, red = (level * 2 ** (bits - 8) for level in COLORS[color])

    picture = _read(_frame((luma, blue, red), pixel_format), _tags(matrix, color_range))

    wanted = _itu_rgb((luma, blue, red), matrix=matrix, color_range=color_range, bits=bits)
    assert picture.shape == (SIZE[1], SIZE[0], 3)
    assert np.abs(picture.astype(int) - wanted).max() <= FIXED_POINT_LEVELS


@pytest.mark.parametrize(
    ("color_range", "greys"),
    [(RANGE_LIMITED, {0: 0, 16: 0, 126: 128, 235: 255, 255: 255}), (RANGE_FULL, {0: 0, 16: 16, 235: 235, 255: 255})],
    ids=["limited", "full"],
)
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv444p", "yuv420p10le"])
@pytest.mark.parametrize("matrix", LUMA_WEIGHTS)
def test_black_and_white_are_reached_exactly_and_grey_is_neutral(
    matrix: int, pixel_format: str, color_range: int, greys: dict[int, int]
) -> None:
    step = 4 if "10" in pixel_format else 1
    top = 1023 if step == 4 else 255

    for level, wanted in greys.items():
        luma = top if level == 255 else level * step
        picture = _read(_frame((luma, 128 * step, 128 * step), pixel_format), _tags(matrix, color_range))

        # Full range of 10 bits ends at 1023, not at 4 * 255: grey 4 * 16 lies between two levels.
        tolerance = 0 if wanted in (0, 255) else FIXED_POINT_LEVELS
        assert np.abs(picture.astype(int) - wanted).max() <= tolerance, level
        assert (picture == picture[..., :1]).all(), level


@pytest.mark.parametrize("pixel_format", ["yuv444p", "yuv420p", "yuv420p10le", "yuv422p10le"])
@pytest.mark.parametrize("color_range", [0, RANGE_LIMITED, RANGE_FULL])
@pytest.mark.parametrize("matrix", range(11))
def test_what_is_written_is_read_as_the_same_colours_with_the_same_tags(
    matrix: int, color_range: int, pixel_format: str
) -> None:
    tags = ColorTags(matrix, color_range, 1, 13)
    # Blocks of 4x4 pixels in all corners of the cube and inside of it.
    corners = np.array([[red, green, blue] for red in (0, 90, 255) for green in (0, 170, 255) for blue in (0, 60, 255)])
    rgb = np.repeat(np.repeat(corners.reshape(3, 9, 3), 4, axis=0), 4, axis=1).astype(np.uint8)
    height, width = rgb.shape[:2]

    frame = ColorConverter(tags, height=height).from_rgb(rgb, pixel_format=pixel_format)
    again = ColorConverter(tags, height=height).to_rgb(frame, width=width, height=height)

    assert ColorTags.of(frame) == tags
    assert np.abs(again.astype(int) - rgb).max() <= ROUND_TRIP_LEVELS


def test_reading_and_writing_many_times_darkens_nothing() -> None:
    generator = np.random.default_rng(1)
    tags = _tags(BT709, RANGE_LIMITED)
    frame = _frame((0, 0, 0), "yuv420p", (64, 64))
    # Levels that stay inside the RGB cube, so that nothing is clipped.
    for plane, (low, high) in zip(frame.planes, [(80, 170), (118, 138), (118, 138)], strict=True):
        plane.update(generator.integers(low, high, plane.buffer_size, dtype=np.uint8).tobytes())
    before = frame.to_ndarray().astype(int)

    for _ in range(3):
        frame = ColorConverter(tags, height=64).from_rgb(_read(frame, tags), pixel_format="yuv420p")

    difference = frame.to_ndarray().astype(int) - before
    assert abs(difference.mean()) < 0.05  # a bias in any step would add up
    assert np.abs(difference).max() <= 2


@pytest.mark.parametrize(
    ("height", "matrix"), [(480, BT601), (HD_HEIGHT_MIN_PX - 1, BT601), (HD_HEIGHT_MIN_PX, BT709), (1080, BT709)]
)
def test_untagged_video_is_read_by_its_height(height: int, matrix: int) -> None:
    levels = COLORS["reddish"]
    frame = _frame(levels, "yuv444p")

    picture = ColorConverter(UNTAGGED, height=height).to_rgb(frame, width=SIZE[0], height=SIZE[1])

    wanted = _itu_rgb(levels, matrix=matrix, color_range=RANGE_LIMITED, bits=8)
    assert np.abs(picture.astype(int) - wanted).max() <= FIXED_POINT_LEVELS


def test_untagged_video_is_written_untagged() -> None:
    frame = ColorConverter(UNTAGGED, height=8).from_rgb(np.zeros((8, 16, 3), np.uint8), pixel_format="yuv420p")

    assert ColorTags.of(frame) == UNTAGGED


@pytest.mark.parametrize("pixel_format", ["rgb24", "bgr0", "gbrp", "rgba", "bgra"])
def test_rgb_is_taken_as_it_is(pixel_format: str) -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (8, 16, 3), dtype=np.uint8)
    frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=pixel_format)

    tags = ColorTags.of(frame)

    assert tags == SDR_TAGS
    assert np.array_equal(_read(frame, tags), rgb)


@pytest.mark.parametrize("pixel_format", ["gbrp", "bgr0", "rgb24"])
def test_rgb_is_written_as_it_is_and_tagged_so(pixel_format: str) -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (8, 16, 3), dtype=np.uint8)

    frame = ColorConverter(SDR_TAGS, height=8).from_rgb(rgb, pixel_format=pixel_format)

    assert np.array_equal(frame.to_ndarray(format="rgb24"), rgb)
    assert (int(frame.colorspace), int(frame.color_range)) == (0, RANGE_FULL)


def test_greys_of_limited_range_are_spread() -> None:
    frame = av.VideoFrame.from_ndarray(np.array([[16, 235], [125, 126]], np.uint8).repeat(8, 0).repeat(8, 1), "gray")
    frame.color_range = RANGE_LIMITED

    read = _read(frame, ColorTags.of(frame))

    assert [read[0, 0, 0], read[0, 8, 0], read[8, 0, 0], read[8, 8, 0]] == [0, 255, 127, 128]


@pytest.mark.parametrize("pixel_format", ["rgba", "yuva444p"])
def test_what_is_transparent_lies_on_white(pixel_format: str) -> None:
    rgba = np.zeros((8, 16, 4), np.uint8)
    rgba[:, 8:] = (200, 40, 40, 255)
    frame = av.VideoFrame.from_ndarray(rgba, format="rgba").reformat(format=pixel_format)
    converter = ColorConverter(ColorTags.of(frame), height=8)

    read = converter.to_rgb(frame, width=16, height=8)

    assert read[0, 0].min() >= 254
    assert np.abs(read[0, 12].astype(int) - (200, 40, 40)).max() <= 3
    assert converter.has_met_transparency


@pytest.mark.parametrize("tagged", [0, RANGE_FULL])
def test_grey_frames_are_taken_as_they_are(tagged: int) -> None:
    grey = np.arange(128, dtype=np.uint8).reshape(8, 16) * 2
    frame = av.VideoFrame.from_ndarray(grey, format="gray")
    frame.color_range = tagged

    tags = ColorTags.of(frame)

    assert tags == SDR_TAGS
    assert np.array_equal(_read(frame, tags), np.repeat(grey[..., np.newaxis], 3, axis=2))


def test_palettes_are_looked_up() -> None:
    palette = np.zeros((256, 4), np.uint8)
    palette[:3] = [[255, 200, 40, 40], [255, 40, 200, 40], [255, 1, 2, 3]]  # ARGB
    index = np.arange(prod(SIZE), dtype=np.uint8).reshape(SIZE[1], SIZE[0]) % 3
    frame = av.VideoFrame.from_ndarray((index, palette), format="pal8")

    tags = ColorTags.of(frame)

    assert tags == SDR_TAGS
    assert np.array_equal(_read(frame, tags), palette[index][..., 1:])


@pytest.mark.parametrize("pixel_format", ["yuvj420p", "yuvj422p", "yuvj444p"])
def test_formats_of_jpeg_are_full_range_whatever_their_tag(pixel_format: str) -> None:
    frame = _frame((235, 128, 128), pixel_format)

    tags = ColorTags.of(frame)

    assert tags.range == RANGE_FULL
    assert (_read(frame, tags) == 235).all()


def test_frame_of_another_size_is_scaled() -> None:
    picture = ColorConverter(_tags(BT709, RANGE_LIMITED), height=8).to_rgb(
        _frame((126, 128, 128), "yuv420p", (32, 24)), width=16, height=8
    )

    assert picture.shape == (8, 16, 3)
    assert np.abs(picture.astype(int) - 128).max() <= FIXED_POINT_LEVELS
    assert picture.flags.c_contiguous


@pytest.mark.parametrize("transfer", [TRANSFER_PQ, TRANSFER_HLG], ids=["PQ", "HLG"])
def test_grey_ramp_of_hdr_stays_grey_and_in_order(transfer: int) -> None:
    width, height = 256, 16
    hdr = _frame((0, 512, 512), "yuv420p10le", (width, height))
    levels = np.linspace(64, 940, width).round().astype(np.uint16)
    luma = np.zeros((height, hdr.planes[0].line_size // 2), np.uint16)
    luma[:, :width] = levels
    hdr.planes[0].update(luma.tobytes())
    hdr.colorspace, hdr.color_range, hdr.color_primaries, hdr.color_trc = BT2020, RANGE_LIMITED, BT2020, transfer
    hdr.pts, hdr.time_base = 7, Fraction(1, 25)
    assert ColorTags.of(hdr).is_hdr

    picture_filter = PictureFilter(hdr, Fraction(1, 25), tone_map=True)
    mapped = [*picture_filter.push(hdr), *picture_filter.push(None)]

    assert [frame.pts * frame.time_base for frame in mapped] == [Fraction(7, 25)]
    assert ColorTags.of(mapped[0]) == SDR_TAGS
    ramp = _read(mapped[0], SDR_TAGS)[height // 2].astype(int)
    assert (ramp == ramp[:, :1]).all()
    assert (np.diff(ramp[:, 0]) >= 0).all()
    assert (ramp[0, 0], ramp[-1, 0]) == (0, 255)
    assert len(set(ramp[:, 0])) > 100  # shades are kept, not a threshold


@pytest.mark.parametrize("transfer", range(19))
def test_only_pq_and_hlg_are_hdr(transfer: int) -> None:
    assert ColorTags(9, 1, 9, transfer).is_hdr == (transfer in (16, 18))
