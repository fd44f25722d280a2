"""Every kind of file that FFmpeg decodes goes in; every frame comes out once, at its time, in its colours."""

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from realtime.video_source import VideoFileSource
from tests.media import BRIGHT, DARK, MediaWriter, Picture, numbers, read_frames, streams_of, times, write_clip

Stylize = Callable[..., int]

# Container, encoder, pixel format and further settings of inputs.
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "mp4-h264": ("in.mp4", {}),
    "mp4-h264-10bit": ("in.mp4", {"pixel_format": "yuv420p10le"}),
    "mp4-h264-444": ("in.mp4", {"pixel_format": "yuv444p"}),
    "mp4-hevc-10bit": (
        "in.mp4",
        {"codec": "libx265", "pixel_format": "yuv420p10le", "options": {"x265-params": "log-level=none:bframes=2"}},
    ),
    "mov-prores": ("in.mov", {"codec": "prores_ks", "pixel_format": "yuv422p10le"}),
    "mov-mjpeg": ("in.mov", {"codec": "mjpeg", "pixel_format": "yuvj420p", "color_range": 2}),
    "mkv-vp9": ("in.mkv", {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}}),
    "webm-av1-10bit": (
        "in.webm",
        {"codec": "libsvtav1", "pixel_format": "yuv420p10le", "size": (64, 64), "options": {"preset": "12"}},
    ),
    "avi-mpeg4": ("in.avi", {"codec": "mpeg4", "bit_rate": 1_000_000}),
    "avi-mpeg4-b-frames": ("in.avi", {"codec": "mpeg4", "bit_rate": 1_000_000, "max_b_frames": 2}),
    "avi-h264-b-frames": ("in.avi", {}),
    "ts-h264": ("in.ts", {"time_base": Fraction(1, 90000), "pts": range(0, 36000, 3600)}),
    "ts-mpeg2": ("in.ts", {"codec": "mpeg2video", "bit_rate": 2_000_000}),
    "mkv-ffv1-rgb": ("in.mkv", {"codec": "ffv1", "pixel_format": "bgr0"}),
    "mkv-h264-grey": ("in.mkv", {"pixel_format": "gray"}),
    "gif": ("in.gif", {"codec": "gif", "pixel_format": "rgb8", "time_base": Fraction(1, 100), "pts": range(0, 40, 4)}),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_frame_of_every_kind_of_file_comes_out_once_at_its_time(
    kind: str, tmp_path: Path, stylize: Stylize
) -> None:
    name, settings = KINDS[kind]
    source = write_clip(tmp_path / name, audio=False, **settings)
    output = tmp_path / "out.mp4"

    assert stylize(source, output) == 0

    assert numbers(output) == list(range(10))
    # AVI with B-frames of H.264 begins at 0, which plain decoding misses.
    begin_s = 0 if kind == "avi-h264-b-frames" else times(source)[0]
    assert times(output) == [Fraction(number, 25) + begin_s for number in range(10)]


@pytest.mark.parametrize("size", [(641, 359), (66, 50), (63, 47), (18, 10), (16, 2)], ids=str)
def test_odd_and_tiny_pictures_keep_their_content(size: tuple[int, int], tmp_path: Path, stylize: Stylize) -> None:
    source = write_clip(tmp_path / "in.mkv", audio=False, frames=3, size=size, codec="ffv1", pixel_format="yuv444p")

    assert stylize(source, tmp_path / "out.mp4") == 0
    assert stylize(source, tmp_path / "exact.mp4", "--pix-fmt", "yuv444p") == 0

    even, exact = read_frames(tmp_path / "out.mp4"), read_frames(tmp_path / "exact.mp4")
    assert even[0].rgb.shape == (size[1] + size[1] % 2, size[0] + size[0] % 2, 3)
    assert exact[0].rgb.shape == (size[1], size[0], 3)
    assert numbers(tmp_path / "exact.mp4") == [0, 1, 2]


def test_one_pixel_is_a_picture_too(tmp_path: Path, stylize: Stylize) -> None:
    source = write_clip(tmp_path / "in.mkv", audio=False, frames=2, size=(1, 1), codec="ffv1", pixel_format="yuv444p")

    assert stylize(source, tmp_path / "out.mp4") == 0

    assert len(read_frames(tmp_path / "out.mp4")) == 2


# A bar that moves 12 pixels a frame, hence 6 from field to field.
INTERLACED_SIZE = (160, 48)
BAR_WIDTH_PX, BAR_STEP_PX = 16, 12


def _first_field(number: int, size: tuple[int, int]) -> Picture:
    """Return the whole picture at the time of the first field."""
    return _with_bar(number * BAR_STEP_PX, size)


def _two_fields(number: int, size: tuple[int, int]) -> Picture:
    """Return a picture whose even lines show the time of the second field.

    libx264 takes the order of fields from the frames, and frames that PyAV (18.1) makes are bottom field first.
    """
    picture = _first_field(number, size)
    picture[0::2] = _with_bar(number * BAR_STEP_PX + BAR_STEP_PX // 2, size)[0::2]
    return picture


def _with_bar(left: int, size: tuple[int, int]) -> Picture:
    picture = np.full((size[1], size[0], 3), DARK, np.uint8)
    picture[:, left : left + BAR_WIDTH_PX] = BRIGHT
    return picture


def _combing(picture: Picture) -> float:
    """Return the mean difference of neighbouring lines."""
    return float(np.abs(np.diff(picture.astype(float), axis=0)).mean())


def _error(picture: Picture, wanted: Picture) -> float:
    return float(np.abs(picture.astype(float) - wanted).mean())


def test_interlaced_video_is_deinterlaced_frame_by_frame(
    tmp_path: Path, stylize: Stylize, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_clip(
        tmp_path / "in.mp4",
        audio=False,
        size=INTERLACED_SIZE,
        picture=_two_fields,
        options={"x264-params": "interlaced=1", "crf": "5"},
    )
    assert read_frames(source)[1].frame.interlaced_frame

    assert stylize(source, tmp_path / "out.mp4", "--crf", "5") == 0
    monkeypatch.setattr(VideoFileSource, "_filtered", VideoFileSource._pictures)
    assert stylize(source, tmp_path / "combed.mp4", "--crf", "5") == 0

    before, after = read_frames(source), read_frames(tmp_path / "out.mp4")
    combed = read_frames(tmp_path / "combed.mp4")  # what comes out without the filter
    assert [frame.pts_s for frame in after] == [frame.pts_s for frame in before]
    assert not any(frame.frame.interlaced_frame for frame in after)
    for number in range(1, 9):  # the first and the last have one neighbour only
        whole = _first_field(number, INTERLACED_SIZE)
        assert _combing(combed[number].rgb) > 0.9 * _combing(before[number].rgb)
        assert _combing(after[number].rgb) < 0.3 * _combing(combed[number].rgb)
        assert _error(after[number].rgb, whole) < 0.5 * _error(combed[number].rgb, whole)


# Raw H.264 has no clock of its own; the transport stream's jumps back at the seam.
@pytest.mark.parametrize(
    ("name", "settings"),
    [
        pytest.param("in.h264", {}, id="h264"),
        pytest.param("in.h264", {"options": {"x264-params": "interlaced=1"}}, id="h264-interlaced"),
        pytest.param("in.ts", {"rate": Fraction(5), "time_base": Fraction(1, 5), "max_b_frames": 0}, id="ts"),
    ],
)
def test_size_that_changes_in_mid_stream_does_not_change_the_output(
    name: str, settings: dict[str, Any], tmp_path: Path, stylize: Stylize, read_report: Callable[[], dict[str, Any]]
) -> None:
    parts = [
        write_clip(tmp_path / f"{index}{name}", audio=False, size=size, **settings).read_bytes()
        for index, size in enumerate([(64, 48), (128, 96), (32, 64)])
    ]
    (tmp_path / name).write_bytes(b"".join(parts))

    assert stylize(tmp_path / name, tmp_path / "out.mp4", "--report", tmp_path / "report.json") == 0

    assert {frame.rgb.shape for frame in read_frames(tmp_path / "out.mp4")} == {(48, 64, 3)}
    assert numbers(tmp_path / "out.mp4") == [*range(10)] * 3
    steps = {later - earlier for earlier, later in pairwise(times(tmp_path / "out.mp4"))}
    assert steps == {1 / settings.get("rate", Fraction(25))}
    assert any("changes its size" in note and "64x48" in note for note in read_report()["notes"])


def test_frames_hidden_by_an_edit_list_are_not_missed(
    tmp_path: Path, stylize: Stylize, read_report: Callable[[], dict[str, Any]]
) -> None:
    writer = MediaWriter(tmp_path / "in.mp4", use_editlist="1", avoid_negative_ts="disabled")
    writer.video(pts=range(-5, 10), options={"bf": "0"})
    source = writer.write()

    with VideoFileSource(source) as opened:
        assert opened.expected_frames() == 10
    assert stylize(source, tmp_path / "out.mp4", "--report", tmp_path / "report.json") == 0

    assert numbers(tmp_path / "out.mp4") == list(range(5, 15))
    assert read_report()["notes"] == []


def test_the_video_need_not_be_the_first_stream(tmp_path: Path, stylize: Stylize) -> None:
    writer = MediaWriter(tmp_path / "in.mp4")
    writer.audio(language="fra")
    writer.audio(language="deu", frequency=880)
    writer.video()
    writer.write()

    assert stylize(tmp_path / "in.mp4", tmp_path / "out.mp4") == 0

    assert numbers(tmp_path / "out.mp4") == list(range(10))
    before, after = streams_of(tmp_path / "in.mp4", "audio"), streams_of(tmp_path / "out.mp4", "audio")
    assert [stream.index for stream in after] == [0, 1]
    assert [stream.metadata["language"] for stream in after] == ["fra", "deu"]
    assert [stream.packets for stream in after] == [stream.packets for stream in before]


def test_of_two_videos_one_is_stylised_and_the_other_named(
    tmp_path: Path, stylize: Stylize, read_report: Callable[[], dict[str, Any]]
) -> None:
    writer = MediaWriter(tmp_path / "in.mkv")
    writer.video()
    writer.video(size=(32, 32))
    writer.write()

    assert stylize(tmp_path / "in.mkv", tmp_path / "out.mkv", "--report", tmp_path / "report.json") == 0

    assert len(streams_of(tmp_path / "out.mkv", "video")) == 1
    assert any("second video" in note for note in read_report()["notes"])
