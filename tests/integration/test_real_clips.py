"""Clips from real cameras and encoders keep frames, times and audio. They are not part of the project."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.media import read_frames, streams_of

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "video"
# Short ones: a clock off zero, odd sizes, a phone with rotation and variable rate, a webcam of full range, AVI.
CLIPS = [
    "nonzero_start.mp4",
    "odd_321x241_vp9.mp4",
    "phone_rot180_vfr.mp4",
    "webcam_man_brother.mkv",
    "testsrc_720p.avi",
]


@pytest.mark.parametrize("name", CLIPS)
def test_a_real_clip_keeps_its_frames_times_and_audio(name: str, tmp_path: Path, stylize: Callable[..., int]) -> None:
    source = FOLDER / name
    if not source.exists():
        pytest.skip(f"{source} is not here")

    assert stylize(source, tmp_path / "out.mp4") == 0

    before, after = read_frames(source), read_frames(tmp_path / "out.mp4")
    assert [frame.pts_s for frame in after] == [frame.pts_s for frame in before]
    if source.suffix == ".mp4":  # other containers do not store durations: FFmpeg derives them from the rate
        assert [frame.duration_s for frame in after] == [frame.duration_s for frame in before]
    assert after[0].frame.rotation == before[0].frame.rotation
    copied = streams_of(tmp_path / "out.mp4", "audio")
    assert [stream.packets for stream in copied] == [stream.packets for stream in streams_of(source, "audio")]
