"""What every source must do: each frame once, in order of time, then the end; and only errors of ours."""

import gc
import threading
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from realtime.errors import InputError, StylizeError
from realtime.source import Source
from realtime.video_source import VideoFileSource
from tests.media import SIZE, read_number, write_clip
from tests.unit.fakes import FakeSource

FRAMES = 10
VARIABLE_PTS = [0, 3000, 6100, 6200, 15000, 15003, 90000, 93000, 180000, 180001]
REALTIME = {"deadline": "realtime", "cpu-used": "8"}

# File name, settings of its video.
FILES: dict[str, tuple[str, dict[str, Any]]] = {
    "mp4-h264-b-frames": ("in.mp4", {"options": {"bf": "3", "b-adapt": "0"}}),
    "mp4-variable-rate": ("in.mp4", {"pts": VARIABLE_PTS, "time_base": Fraction(1, 90000), "max_b_frames": 0}),
    "mp4-interlaced": ("in.mp4", {"options": {"x264-params": "interlaced=1"}}),
    "mov-prores": ("in.mov", {"codec": "prores_ks", "pixel_format": "yuv422p10le"}),
    "mkv-ffv1-rgb": ("in.mkv", {"codec": "ffv1", "pixel_format": "bgr0"}),
    "webm-vp9": ("in.webm", {"codec": "libvpx-vp9", "options": REALTIME}),
    "avi-mpeg4-b-frames": ("in.avi", {"codec": "mpeg4", "bit_rate": 1_000_000, "max_b_frames": 2}),
    "avi-h264-b-frames": ("in.avi", {}),
    "ts-mpeg2": ("in.ts", {"codec": "mpeg2video", "bit_rate": 2_000_000}),
    "gif": ("in.gif", {"codec": "gif", "pixel_format": "rgb8", "time_base": Fraction(1, 100), "pts": range(0, 40, 4)}),
}  # fmt: skip
SOURCES = [*FILES, "fake"]


def _write(kind: str, folder: Path) -> Path:
    name, settings = FILES[kind]
    return write_clip(folder / name, audio=False, frames=FRAMES, **settings)


@pytest.fixture
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A source of FRAMES frames, named by the parameter; whoever takes it closes it."""
    made = FakeSource(FRAMES) if request.param == "fake" else VideoFileSource(_write(request.param, tmp_path))
    yield made
    made.close()


@pytest.mark.parametrize("source", SOURCES, indirect=True)
def test_every_frame_comes_once_and_time_grows(source: Source) -> None:
    frames = list(source)

    assert [frame.index for frame in frames] == list(range(FRAMES))
    assert all(earlier.pts_s < later.pts_s for earlier, later in pairwise(frames))
    assert all(isinstance(frame.pts_s, Fraction) and isinstance(frame.duration_s, Fraction) for frame in frames)
    assert all(frame.duration_s > 0 for frame in frames)


@pytest.mark.parametrize("source", FILES, indirect=True)
def test_frames_are_those_of_the_file_in_order(source: Source) -> None:
    assert [read_number(frame.rgb) for frame in source] == list(range(FRAMES))


@pytest.mark.parametrize("source", SOURCES, indirect=True)
def test_pictures_are_contiguous_rgb_of_one_size(source: Source) -> None:
    frames = list(source)

    assert len({frame.rgb.shape for frame in frames}) == 1
    assert frames[0].rgb.shape[2] == 3
    assert all(frame.rgb.dtype == np.uint8 and frame.rgb.flags.c_contiguous for frame in frames)


@pytest.mark.parametrize("source", SOURCES, indirect=True)
def test_frames_that_are_kept_do_not_change(source: Source) -> None:
    kept = [(frame, frame.rgb.copy()) for frame in source]

    assert all(np.array_equal(frame.rgb, copy) for frame, copy in kept)
    assert not any(np.shares_memory(one.rgb, other.rgb) for (one, _), (other, _) in pairwise(kept))


@pytest.mark.parametrize("source", SOURCES, indirect=True)
def test_end_is_an_exhausted_iterator(source: Source) -> None:
    frames = iter(source)
    for _ in range(FRAMES):
        next(frames)

    for _ in range(3):
        with pytest.raises(StopIteration):
            next(frames)


@pytest.mark.parametrize("source", SOURCES, indirect=True)
@pytest.mark.parametrize("taken", [0, 3, FRAMES])
def test_close_may_be_called_at_any_time_twice_and_from_another_thread(source: Source, taken: int) -> None:
    frames = iter(source)
    for _ in range(taken):
        next(frames)

    closer = threading.Thread(target=source.close)
    closer.start()
    closer.join(10)
    source.close()

    assert not closer.is_alive()


def test_file_is_read_no_more_after_close(tmp_path: Path) -> None:
    with VideoFileSource(_write("mp4-h264-b-frames", tmp_path)) as source:
        frames = iter(source)
        next(frames)

    with pytest.raises(ValueError, match="closed"):
        list(frames)


@pytest.mark.parametrize("kind", FILES)
def test_a_closed_source_leaves_no_picture_to_the_garbage_collector(kind: str, tmp_path: Path) -> None:
    path = _write(kind, tmp_path)
    gc.collect()
    before = _pictures_in_memory()
    gc.disable()
    try:
        with VideoFileSource(path) as opened:
            for _ in opened.pictures():
                pass
        del opened, _
        left = _pictures_in_memory() - before
    finally:
        gc.enable()

    assert left == 0


def _pictures_in_memory() -> int:
    return sum(type(kept) is av.VideoFrame for kept in gc.get_objects())  # isinstance would ask odd objects


def test_file_is_iterated_once_however_often_it_is_asked(tmp_path: Path) -> None:
    with VideoFileSource(_write("mp4-h264-b-frames", tmp_path)) as source:
        first = next(iter(source))
        rest = list(source)

        assert [first.index, *(frame.index for frame in rest)] == list(range(FRAMES))
        assert list(source) == []


def test_range_counts_frames_and_time_from_its_first_frame(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "in.mp4", audio=False, frames=50, options={"g": "10"})

    with VideoFileSource(path, start_s=Fraction(1), end_s=Fraction(7, 5)) as source:
        frames = list(source)

        assert source.time_shift_s == 1
        assert source.expected_frames() == len(frames)
    assert [read_number(frame.rgb) for frame in frames] == list(range(25, 35))
    assert [(frame.index, frame.pts_s) for frame in frames] == [(index, Fraction(index, 25)) for index in range(10)]


@pytest.mark.parametrize("kind", ["mp4-variable-rate", "mkv-ffv1-rgb", "ts-mpeg2"])
def test_info_tells_what_the_frames_are(kind: str, tmp_path: Path) -> None:
    with VideoFileSource(_write(kind, tmp_path)) as source:
        info = source.info
        frames = list(source)

    assert (info.width, info.height) == SIZE
    assert all(frame.rgb.shape == (info.height, info.width, 3) for frame in frames)
    assert all((frame.pts_s / info.time_base).denominator == 1 for frame in frames)


@pytest.mark.parametrize("content", [b"", b"no video at all", bytes(5000)], ids=["empty", "text", "zeros"])
def test_what_is_no_video_is_an_input_error(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "in.mp4"
    path.write_bytes(content)

    with pytest.raises(InputError, match=r"in\.mp4"):
        VideoFileSource(path)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95])
@pytest.mark.parametrize("kind", ["mp4-h264-b-frames", "mkv-ffv1-rgb", "webm-vp9", "avi-mpeg4-b-frames", "ts-mpeg2"])
def test_file_that_is_cut_off_ends_early_or_with_an_error_of_ours(kind: str, share: float, tmp_path: Path) -> None:
    path = _write(kind, tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])

    try:
        with VideoFileSource(path) as source:
            frames = list(source)
    except StylizeError:
        return
    assert 0 < len(frames) <= FRAMES
    assert all(earlier.pts_s < later.pts_s for earlier, later in pairwise(frames))


@pytest.mark.parametrize("kind", ["mp4-h264-b-frames", "webm-vp9", "ts-mpeg2", "gif"])
def test_file_with_wrong_bytes_ends_or_fails_with_an_error_of_ours(kind: str, tmp_path: Path) -> None:
    path = _write(kind, tmp_path)
    content = np.frombuffer(path.read_bytes(), np.uint8).copy()
    generator = np.random.default_rng(3)
    for _ in range(8):
        spoilt = content.copy()
        places = generator.integers(0, len(spoilt), 20)
        spoilt[places] = generator.integers(0, 256, len(places), dtype=np.uint8)
        path.write_bytes(spoilt.tobytes())

        try:
            with VideoFileSource(path) as source:
                frames = list(source)
        except StylizeError:
            continue
        assert all(earlier.pts_s < later.pts_s for earlier, later in pairwise(frames))
