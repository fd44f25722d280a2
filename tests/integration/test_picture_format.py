"""The picture keeps its form: rotation, pixel aspect, colours and size, and becomes what codec and options ask for."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from tests.media import MediaWriter, numbers, read_frames, streams_of, write_clip

Stylize = Callable[..., int]
ReadReport = Callable[[], dict[str, Any]]


@pytest.mark.parametrize("degrees", [90, 180, -90])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_rotation_is_kept_or_applied(degrees: int, suffix: str, tmp_path: Path, stylize: Stylize) -> None:
    writer = MediaWriter(tmp_path / "in.mp4")
    writer.video(sample_aspect_ratio=Fraction(4, 3)).set_display_rotation(degrees)
    source = writer.write()

    assert stylize(source, tmp_path / f"out{suffix}") == 0

    before, after = read_frames(source)[3], read_frames(tmp_path / f"out{suffix}")[3]
    shown = np.rot90(before.rgb, before.frame.rotation // 90)
    assert np.abs(np.rot90(after.rgb, after.frame.rotation // 90).astype(int) - shown).mean() < 4
    assert suffix == ".ts" or after.frame.rotation == before.frame.rotation


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
def test_pixel_aspect_is_kept(suffix: str, tmp_path: Path, stylize: Stylize) -> None:
    source = write_clip(tmp_path / "in.mp4", audio=False, sample_aspect_ratio=Fraction(16, 15))

    assert stylize(source, tmp_path / f"out{suffix}") == 0

    with av.open(str(tmp_path / f"out{suffix}")) as container:
        stream = container.streams.video[0]
        shape = Fraction(stream.width, stream.height) * (stream.sample_aspect_ratio or 1)
    if suffix == ".webm":  # scaled to square pixels
        assert float(shape) == pytest.approx(64 / 48 * 16 / 15, rel=0.02)
    else:
        assert (stream.width, shape) == (64, Fraction(64, 48) * Fraction(16, 15))


def test_mp4_begins_with_its_index_and_plays_in_browsers(tmp_path: Path, stylize: Stylize) -> None:
    source = write_clip(tmp_path / "in.mkv", codec="ffv1", pixel_format="yuv444p")

    assert stylize(source, tmp_path / "out.mp4") == 0

    content = (tmp_path / "out.mp4").read_bytes()
    assert 0 < content.index(b"moov") < content.index(b"mdat")
    assert streams_of(tmp_path / "out.mp4", "video")[0].codec == "h264"
    assert read_frames(tmp_path / "out.mp4")[0].frame.format.name == "yuv420p"


@pytest.mark.parametrize("color_range", [1, 2])
@pytest.mark.parametrize("matrix", [1, 6])
def test_colours_and_their_tags_are_kept(matrix: int, color_range: int, tmp_path: Path, stylize: Stylize) -> None:
    colors = [(200, 40, 40), (40, 200, 40), (40, 40, 200), (255, 255, 255), (0, 0, 0), (128, 128, 128)]
    source = write_clip(
        tmp_path / "in.mp4",
        audio=False,
        frames=len(colors),
        picture=lambda number, size: np.full((size[1], size[0], 3), colors[number], np.uint8),
        pixel_format="yuv444p",
        options={"crf": "1"},
        matrix=matrix,
        color_range=color_range,
        primaries=matrix,
        transfer=matrix,
    )

    assert stylize(source, tmp_path / "out.mp4", "--crf", "1") == 0

    after = read_frames(tmp_path / "out.mp4")
    tags = after[0].frame
    assert (tags.colorspace, tags.color_range, tags.color_primaries, tags.color_trc) == (
        matrix,
        color_range,
        matrix,
        matrix,
    )
    for frame, color in zip(after, colors, strict=True):
        assert np.abs(frame.rgb.astype(int) - color).max() <= 4  # two roundings to 8-bit YUV


def test_the_split_view_shows_before_and_after(tmp_path: Path, stylize: Stylize, invert_style: Path) -> None:
    source = write_clip(
        tmp_path / "in.mp4", audio=False, picture=lambda number, size: np.full((size[1], size[0], 3), 60, np.uint8)
    )

    assert stylize(source, tmp_path / "out.mp4", "--split", "wipe", style=invert_style) == 0

    picture = read_frames(tmp_path / "out.mp4")[5].rgb
    assert abs(picture[:, :24].mean() - 60) < 5
    assert abs(picture[:, -24:].mean() - 195) < 5


def test_pictures_too_wide_for_the_encoder_are_one_clear_line(
    tmp_path: Path, stylize: Stylize, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_clip(tmp_path / "in.mkv", frames=1, codec="ffv1", pixel_format="bgr0", audio=False, size=(8400, 64))

    assert stylize(source, tmp_path / "out.mp4", "--split", "side") == 1

    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "the encoder failed on 16800x64 yuv420p" in error
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize("width", [64, 63])
def test_side_by_side_doubles_the_width_and_keeps_the_sound(
    width: int, tmp_path: Path, stylize: Stylize, invert_style: Path
) -> None:
    source = write_clip(
        tmp_path / "in.mp4",
        size=(width, 48),
        pixel_format="yuv444p",
        picture=lambda number, size: np.full((size[1], size[0], 3), 60, np.uint8),
    )

    assert stylize(source, tmp_path / "out.mp4", "--split", "side", style=invert_style) == 0

    after = read_frames(tmp_path / "out.mp4")
    assert after[5].rgb.shape == (48, 2 * width, 3)
    assert abs(after[5].rgb[:, : width - 2].mean() - 60) < 5
    assert abs(after[5].rgb[:, width + 2 :].mean() - 195) < 5
    assert [frame.pts_s for frame in after] == [frame.pts_s for frame in read_frames(source)]
    copied = streams_of(tmp_path / "out.mp4", "audio")
    assert [stream.packets for stream in copied] == [stream.packets for stream in streams_of(source, "audio")]


@pytest.mark.parametrize(
    ("suffix", "codec", "pixel_format", "decoder"),
    [
        (".mp4", "hevc", "yuv420p10le", "hevc"),
        (".mp4", "libx264", "yuv444p", "h264"),
        (".mov", "prores", "yuv422p10le", "prores"),
        (".webm", "vp9", "yuv420p", "vp9"),
        (".mkv", "ffv1", "bgr0", "ffv1"),
        (".mp4", "auto", "yuv420p", "h264"),
    ],
)
def test_codec_and_pixel_format_are_those_asked_for(
    suffix: str, codec: str, pixel_format: str, decoder: str, tmp_path: Path, stylize: Stylize
) -> None:
    source = write_clip(tmp_path / "in.mp4", audio=False)

    assert stylize(source, tmp_path / f"out{suffix}", "--codec", codec, "--pix-fmt", pixel_format) == 0

    frame = read_frames(tmp_path / f"out{suffix}")[0].frame
    assert streams_of(tmp_path / f"out{suffix}", "video")[0].codec == decoder
    assert frame.format.name == pixel_format
    assert numbers(tmp_path / f"out{suffix}") == list(range(10))


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_hevc_is_tagged_as_every_player_knows_it(suffix: str, tmp_path: Path, stylize: Stylize) -> None:
    source = write_clip(tmp_path / "in.mp4", audio=False)

    assert stylize(source, tmp_path / f"out{suffix}", "--codec", "hevc") == 0

    assert b"hvc1" in (tmp_path / f"out{suffix}").read_bytes()


@pytest.mark.parametrize(("codec", "options"), [("libx264rgb", ["--crf", "0"]), ("ffv1", ["--pix-fmt", "bgr0"])])
def test_encoders_of_rgb_keep_the_colours(codec: str, options: list[str], tmp_path: Path, stylize: Stylize) -> None:
    source = write_clip(
        tmp_path / "in.mp4",
        audio=False,
        matrix=1,
        color_range=1,
        picture=lambda number, size: np.full((size[1], size[0], 3), (200, 60, 30), np.uint8),
    )

    assert stylize(source, tmp_path / "out.mkv", "--codec", codec, *options) == 0

    assert np.abs(read_frames(tmp_path / "out.mkv")[0].rgb.astype(int) - (200, 60, 30)).max() <= 3


def test_transparency_lies_on_white_and_that_is_said(tmp_path: Path, stylize: Stylize, read_report: ReadReport) -> None:
    layer = Image.new("RGBA", (64, 48), (0, 0, 0, 0))
    layer.paste((200, 60, 30, 255), (0, 0, 32, 48))
    layer.save(tmp_path / "in.png", save_all=True, append_images=[layer.rotate(180)])
    (tmp_path / "in.png").rename(tmp_path / "in.apng")

    assert stylize(tmp_path / "in.apng", tmp_path / "out.mp4", "--report", tmp_path / "report.json") == 0

    assert read_frames(tmp_path / "out.mp4")[0].rgb[24, 56].min() > 245
    assert "transparency lies on white" in read_report()["notes"]
