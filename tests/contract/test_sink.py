"""What every sink must do: frames in order at their exact times, and nothing under the final name before the end."""

import errno
import os
from dataclasses import replace
from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from realtime.color import SDR_TAGS
from realtime.container import FORMAT_OF_SUFFIX
from realtime.encoder import EncoderChoice
from realtime.errors import OutputError, UsageError
from realtime.frame import Frame
from realtime.video_info import VideoInfo
from realtime.video_sink import VideoFileSink
from tests.media import SIZE, numbered, read_frames, read_number

X264 = EncoderChoice("libx264", {"preset": "ultrafast"}, "yuv420p")
VP9 = EncoderChoice("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "crf": "30", "b": "0"}, "yuv420p")
ENCODER_OF_SUFFIX = {suffix: VP9 if suffix == ".webm" else X264 for suffix in FORMAT_OF_SUFFIX}
# Milliseconds, which every container holds exactly; neither evenly spaced nor beginning at 0.
TIMES_MS = [80, 120, 125, 400, 401, 1000, 1040]
DURATIONS_MS = [40, 5, 275, 1, 599, 40, 20]


@pytest.fixture(params=FORMAT_OF_SUFFIX)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / f"out{request.param}"


def _open(
    path: Path,
    *,
    encoder: EncoderChoice | None = None,
    overwrite: bool = False,
    time_base: Fraction = Fraction(1, 1000),
    display_matrix: tuple[int, ...] | None = None,
    recording: bool = False,
) -> VideoFileSink:
    info = VideoInfo(
        width=SIZE[0],
        height=SIZE[1],
        time_base=time_base,
        frame_rate=Fraction(25),
        constant_frame_rate=False,
        sample_aspect_ratio=None,
        display_matrix=display_matrix,
        color_tags=SDR_TAGS,
    )
    encoder = encoder or ENCODER_OF_SUFFIX[path.suffix]
    return VideoFileSink(path, info=info, encoder=encoder, copier=None, overwrite=overwrite, recording=recording)


def _frames() -> list[Frame]:
    return [
        Frame(numbered(index), Fraction(pts_ms, 1000), Fraction(duration_ms, 1000), index)
        for index, (pts_ms, duration_ms) in enumerate(zip(TIMES_MS, DURATIONS_MS, strict=True))
    ]


def test_frames_come_back_in_order_at_their_exact_times(target: Path) -> None:
    with _open(target) as sink:
        for frame in _frames():
            sink.write(frame)
        sink.finish()

    after = read_frames(target)
    assert [read_number(frame.rgb) for frame in after] == list(range(len(TIMES_MS)))
    assert [frame.pts_s for frame in after] == [Fraction(time_ms, 1000) for time_ms in TIMES_MS]
    # The last one has no successor to tell its duration; only MP4 and MOV store it for each frame.
    if FORMAT_OF_SUFFIX[target.suffix] in ("mp4", "mov"):
        assert [frame.duration_s for frame in after] == [Fraction(time_ms, 1000) for time_ms in DURATIONS_MS]


def test_nothing_has_the_final_name_before_finish(target: Path) -> None:
    with _open(target) as sink:
        for frame in _frames():
            sink.write(frame)
            assert not target.exists()
        sink.finish()
        assert target.exists()

    assert [path.name for path in target.parent.iterdir()] == [target.name]


@pytest.mark.parametrize("written", [0, 1, len(TIMES_MS)])
def test_close_without_finish_leaves_nothing(target: Path, written: int) -> None:
    with _open(target) as sink:
        for frame in _frames()[:written]:
            sink.write(frame)

    assert not list(target.parent.iterdir())


def test_close_without_finish_leaves_what_was_there(target: Path) -> None:
    target.write_bytes(b"precious")

    with _open(target) as sink:
        sink.write(_frames()[0])
        assert target.read_bytes() == b"precious"

    assert target.read_bytes() == b"precious"
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_finish_replaces_what_was_there_with_overwrite(target: Path) -> None:
    target.write_bytes(b"old")

    with _open(target, overwrite=True) as sink:
        sink.write(_frames()[0])
        sink.finish()

    assert len(read_frames(target)) == 1


@pytest.mark.parametrize("links", [True, False], ids=["links", "no-links"])
def test_finish_without_overwrite_leaves_a_file_that_appeared(
    links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", _refuse_link)
    sink = _open(tmp_path / "out.mp4")
    sink.write(_frames()[0])
    (tmp_path / "out.mp4").write_bytes(b"precious")

    with pytest.raises(OutputError, match="appeared while the job ran"):
        sink.finish()
    sink.close()

    assert (tmp_path / "out.mp4").read_bytes() == b"precious"
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


def test_finish_needs_no_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", _refuse_link)
    with _open(tmp_path / "out.mp4") as sink:
        sink.write(_frames()[0])
        sink.finish()

    assert len(read_frames(tmp_path / "out.mp4")) == 1


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
def test_a_recording_has_its_name_from_the_start_and_keeps_it_whatever_happens(suffix: str, tmp_path: Path) -> None:
    target = tmp_path / f"out{suffix}"
    usual = ENCODER_OF_SUFFIX[suffix]
    without_delay = {"lag-in-frames": "0"} if usual is VP9 else {"tune": "zerolatency"}
    with _open(target, encoder=replace(usual, options=usual.options | without_delay), recording=True) as sink:
        for frame in _frames():
            sink.write(frame)
        assert [path.name for path in tmp_path.iterdir()] == [target.name]

    assert [read_number(frame.rgb) for frame in read_frames(target)] == list(range(len(TIMES_MS)))


def test_a_recording_replaces_no_file(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    target.write_bytes(b"precious")

    with pytest.raises(OutputError, match="cannot write"):
        _open(target, recording=True)

    assert target.read_bytes() == b"precious"


def _refuse_link(*_: object) -> None:
    raise PermissionError(errno.EPERM, "Operation not permitted")


def test_error_in_the_block_leaves_nothing(target: Path) -> None:
    def write_and_stop() -> None:
        with _open(target) as sink:
            sink.write(_frames()[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_and_stop()

    assert not list(target.parent.iterdir())


@pytest.mark.parametrize("finished", [True, False])
def test_close_may_be_called_twice(target: Path, finished: bool) -> None:
    sink = _open(target)
    sink.write(_frames()[0])
    if finished:
        sink.finish()

    sink.close()
    sink.close()

    assert target.exists() == finished


@pytest.mark.parametrize("end", ["close", "finish"])
def test_nothing_can_be_written_after_the_end(target: Path, end: str) -> None:
    with _open(target) as sink:
        sink.write(_frames()[0])
        getattr(sink, end)()

        with pytest.raises(ValueError, match=f"{target.name} has been finished or closed"):
            sink.write(_frames()[1])
        with pytest.raises(ValueError, match=f"{target.name} has been finished or closed"):
            sink.finish()


def test_frames_that_are_written_are_not_changed(target: Path) -> None:
    frames = _frames()
    for frame in frames:
        frame.rgb.setflags(write=False)

    with _open(target) as sink:
        for frame in frames:
            sink.write(frame)

    assert all(np.array_equal(frame.rgb, numbered(frame.index)) for frame in frames)


def test_a_missing_folder_is_an_output_error(target: Path) -> None:
    with pytest.raises(OutputError, match="cannot write"):
        _open(target.parent / "missing" / target.name)


@pytest.mark.parametrize("suffix", [".mp4", ".m4v", ".webm"])
def test_a_codec_that_the_container_cannot_hold_is_an_output_error_and_leaves_nothing(
    suffix: str, tmp_path: Path
) -> None:
    def write_all() -> None:
        with _open(tmp_path / f"out{suffix}", encoder=EncoderChoice("huffyuv", {}, "yuv422p")) as sink:
            sink.write(_frames()[0])
            sink.finish()

    with pytest.raises(OutputError, match="cannot write"):
        write_all()

    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_take_its_name_is_an_output_error(target: Path) -> None:
    sink = _open(target)
    sink.write(_frames()[0])
    (target / "in the way").mkdir(parents=True)

    with pytest.raises(OutputError, match="cannot write"):
        sink.finish()
    sink.close()

    assert [path.name for path in target.parent.iterdir()] == [target.name]


@pytest.mark.parametrize("linear", list(product((1, -1), (1, -1), (False, True))))
def test_every_orientation_is_upright_where_no_matrix_can_say_it(linear: tuple[int, int, bool], tmp_path: Path) -> None:
    one, other, transposes = linear
    a, b, c, d = (0, one, other, 0) if transposes else (one, 0, 0, other)
    matrix = (a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    # One bright corner (x right, y down from the middle), and a neighbour that is grey: no symmetry is left.
    picture = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    height, width = SIZE[1] // 2, SIZE[0] // 2
    picture[:height, :width], picture[:height, width:] = 235, 128

    with _open(tmp_path / "out.ts", display_matrix=matrix) as sink:
        sink.write(Frame(picture, Fraction(0), Fraction(1, 25), 0))
        sink.finish()

    shown = read_frames(tmp_path / "out.ts")[0].rgb
    assert shown.shape[:2] == (SIZE if transposes else SIZE[::-1])
    for (x, y), level in {(-1, -1): 235, (1, -1): 128, (-1, 1): 0, (1, 1): 0}.items():
        right, down = a * x + c * y, b * x + d * y
        row, column = (
            (1 + 2 * (place > 0)) * size // 4 for place, size in zip((down, right), shown.shape, strict=False)
        )
        assert abs(int(shown[row, column, 0]) - level) < 12


@pytest.mark.parametrize(("pts", "notes"), [([0, 512, 1024], 0), ([0, 1, 2, 3], 1)], ids=["exact", "rounded"])
def test_rounding_is_said_once_and_only_where_a_time_was_rounded(pts: list[int], notes: int, tmp_path: Path) -> None:
    time_base = Fraction(1, 12800)
    with _open(tmp_path / "out.mkv", time_base=time_base) as sink:
        for index, ticks in enumerate(pts):
            sink.write(Frame(numbered(index), ticks * time_base, Fraction(1, 25), index))
        sink.finish()

    assert len([note for note in sink.notes if "rounded" in note]) == notes


@pytest.mark.parametrize("name", ["out.avi", "out.gif", "out", "out.mp4.txt"])
def test_containers_without_exact_times_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.mp4, \.m4v"):
        _open(tmp_path / name, encoder=X264)

    assert not list(tmp_path.iterdir())
