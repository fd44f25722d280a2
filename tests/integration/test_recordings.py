"""Files as senders, browsers, phones and screen recorders write them, whose headers lack, hide or misname something."""

import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import pytest

from realtime.video_source import VideoFileSource
from tests.media import MediaWriter, numbers, streams_of, times

Stylize = Callable[..., int]

EBML_VOID = 0xEC
DEFAULT_DURATION = b"\x23\xe3\x83"


def audio_times(path: Path) -> list[Fraction]:
    (audio,) = streams_of(path, "audio")
    return [packet.pts_s for packet in audio.packets if packet.pts_s is not None]


def hidden_by_edit_lists(path: Path, seconds: Fraction) -> Path:
    """Have an MP4 begin later, as phones trim; what comes before stays in the file."""
    content = bytearray(path.read_bytes())
    header = content.find(b"mvhd")
    (file_clock,) = struct.unpack(">I", content[header + 16 : header + 20])
    entry = content.find(b"elst")
    while entry > 0:
        track = content.find(b"mdhd", entry)
        (clock,) = struct.unpack(">I", content[track + 16 : track + 20])
        lasts, begin, rate = struct.unpack(">IiI", content[entry + 12 : entry + 24])
        trimmed = struct.pack(">IiI", lasts - round(seconds * file_clock), begin + round(seconds * clock), rate)
        content[entry + 12 : entry + 24] = trimmed
        entry = content.find(b"elst", track)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("frames_per_s", [1, 3])
def test_audio_beside_slides_of_reordered_frames_stays_where_it_is(
    frames_per_s: int, tmp_path: Path, stylize: Stylize
) -> None:
    """Matroska tells no decoding time of their first packets."""
    writer = MediaWriter(tmp_path / "in.mkv")
    writer.video(pts=range(12 * frames_per_s), time_base=Fraction(1, frames_per_s), rate=Fraction(frames_per_s))
    writer.audio(seconds=12)
    source = writer.write()
    assert any(packet.dts_s is None for packet in streams_of(source, "video")[0].packets)

    assert stylize(source, tmp_path / "out.mkv") == 0

    assert audio_times(tmp_path / "out.mkv") == audio_times(source)


def test_a_track_that_begins_late_in_a_transport_stream_is_carried(tmp_path: Path, stylize: Stylize) -> None:
    writer = MediaWriter(tmp_path / "in.ts")
    writer.video(pts=range(48), time_base=Fraction(1, 4), rate=Fraction(4), options={"g": "4"})
    writer.audio("ac3", start_s=11, seconds=1)
    source = writer.write()

    assert stylize(source, tmp_path / "out.mkv") == 0

    assert len(audio_times(tmp_path / "out.mkv")) == len(audio_times(source))


def test_the_rate_that_a_browser_does_not_tell_is_measured(tmp_path: Path, stylize: Stylize) -> None:
    writer = MediaWriter(tmp_path / "in.webm", live="1")
    pts = [index * 33 + index % 3 for index in range(40)]
    writer.video("libvpx", pts=pts, time_base=Fraction(1, 1000), rate=Fraction(30))
    source = writer.write()
    content = bytearray(source.read_bytes())
    place = content.find(DEFAULT_DURATION)
    size = content[place + 3] & 0x7F
    content[place : place + 2] = bytes([EBML_VOID, 0x80 | (2 + size)])
    source.write_bytes(content)
    with av.open(str(source)) as container:
        assert container.streams.video[0].average_rate is None

    with VideoFileSource(source) as read:
        assert float(read.info.frame_rate) == pytest.approx(30, rel=0.02)
    assert stylize(source, tmp_path / "out.mkv", "--codec", "av1") == 0

    assert times(tmp_path / "out.mkv") == [Fraction(ms, 1000) for ms in pts]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_stream_of_a_sender_begins_near_zero_with_all_its_audio(
    suffix: str, tmp_path: Path, stylize: Stylize
) -> None:
    writer = MediaWriter(tmp_path / "in.ts")
    writer.video(pts=range(400 * 25, 400 * 25 + 20), options={"g": "10"})
    writer.audio(start_s=400, seconds=0.8)
    source = writer.write()

    assert stylize(source, tmp_path / f"out{suffix}") == 0

    first, *_ = shown = times(tmp_path / f"out{suffix}")
    assert 0 <= first < 1
    assert len(shown) == 20
    before, after = audio_times(source), audio_times(tmp_path / f"out{suffix}")
    assert len(after) == len(before)
    assert float(after[0] - first) == pytest.approx(float(before[0] - times(source)[0]), abs=0.002)


def test_a_range_is_counted_from_the_first_frame_where_the_audio_begins_later(tmp_path: Path, stylize: Stylize) -> None:
    """FFmpeg lends the video the beginning of the file then, which is that of the audio."""
    writer = MediaWriter(tmp_path / "in.mkv")
    writer.video(pts=range(9), time_base=Fraction(1), rate=Fraction(1), max_b_frames=0)
    writer.audio(start_s=0.8, seconds=8)
    source = writer.write()
    with av.open(str(source)) as container:
        video = container.streams.video[0]
        assert video.start_time is not None
        assert video.start_time * video.time_base > 0.5

    assert stylize(source, tmp_path / "out.mp4", "--start", "1", "--end", "3") == 0

    assert numbers(tmp_path / "out.mp4") == [1, 2]


@pytest.mark.parametrize("suffix", [".mkv", ".ts", ".mp4"])
def test_sound_that_was_trimmed_away_does_not_come_back(suffix: str, tmp_path: Path, stylize: Stylize) -> None:
    writer = MediaWriter(tmp_path / "in.mp4")
    writer.video(pts=range(50), options={"g": "50"}, max_b_frames=0)
    writer.audio(seconds=2)
    source = hidden_by_edit_lists(writer.write(), Fraction(6, 5))

    assert stylize(source, tmp_path / f"out{suffix}") == 0

    assert numbers(tmp_path / f"out{suffix}") == list(range(30, 50))
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        heard = [frame.pts * frame.time_base for frame in container.decode(audio=0)]
    assert heard[0] >= times(tmp_path / f"out{suffix}")[0] - Fraction(1, 20)
    assert heard[-1] > heard[0] + Fraction(7, 10)
