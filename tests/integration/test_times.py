"""Times and durations are kept exactly, whatever the input's clock is."""

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.media import MediaWriter, numbers, read_frames, streams_of, times, write_clip

Stylize = Callable[..., int]
ReadReport = Callable[[], dict[str, Any]]

VARIABLE_PTS = [0, 3000, 6100, 6200, 15000, 15003, 90000, 93000]
VARIABLE_DURATIONS = [3000, 3100, 100, 8800, 3, 74997, 3000, 7777]


def _variable(path: Path, **settings: Any) -> Path:
    return write_clip(
        path,
        audio=False,
        pts=VARIABLE_PTS,
        durations=VARIABLE_DURATIONS,
        time_base=Fraction(1, 90000),
        max_b_frames=0,
        **settings,
    )


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_a_variable_frame_rate_is_kept_to_the_tick(suffix: str, codec: str, tmp_path: Path, stylize: Stylize) -> None:
    source = _variable(tmp_path / "in.mp4")

    assert stylize(source, tmp_path / f"out{suffix}", "--codec", codec) == 0

    after = read_frames(tmp_path / f"out{suffix}")
    assert [frame.pts_s for frame in after] == [Fraction(ticks, 90000) for ticks in VARIABLE_PTS]
    assert [frame.duration_s for frame in after] == [Fraction(ticks, 90000) for ticks in VARIABLE_DURATIONS]
    assert numbers(tmp_path / f"out{suffix}") == list(range(len(VARIABLE_PTS)))
    assert streams_of(tmp_path / f"out{suffix}", "video")[0].time_base == Fraction(1, 90000)


def test_b_frames_of_the_input_are_put_in_order(tmp_path: Path, stylize: Stylize) -> None:
    source = write_clip(tmp_path / "in.mp4", frames=30, options={"bf": "3", "b-adapt": "0"}, audio=False)
    packets = streams_of(source, "video")[0].packets
    assert any(packet.pts_s != packet.dts_s for packet in packets)

    assert stylize(source, tmp_path / "out.mp4") == 0

    before, after = read_frames(source), read_frames(tmp_path / "out.mp4")
    assert numbers(tmp_path / "out.mp4") == list(range(30))
    assert [(f.pts_s, f.duration_s) for f in after] == [(f.pts_s, f.duration_s) for f in before]


@pytest.mark.parametrize(
    "time_base", [Fraction(1001, 30000), Fraction(1, 600), Fraction(1, 1000000), Fraction(1, 24)], ids=str
)
def test_the_clock_of_the_input_is_the_clock_of_the_output(
    time_base: Fraction, tmp_path: Path, stylize: Stylize
) -> None:
    step = max(1, round(Fraction(1, 25) / time_base))
    source = write_clip(
        tmp_path / "in.mp4", audio=False, time_base=time_base, pts=range(0, 8 * step, step), rate=1 / (step * time_base)
    )

    assert stylize(source, tmp_path / "out.mp4") == 0

    before, after = read_frames(source), read_frames(tmp_path / "out.mp4")
    assert [(f.pts_s, f.duration_s) for f in after] == [(f.pts_s, f.duration_s) for f in before]


@pytest.mark.parametrize("name", ["in.mp4", "in.mkv", "in.ts"])
def test_a_first_timestamp_that_is_not_zero_is_kept_with_its_audio(name: str, tmp_path: Path, stylize: Stylize) -> None:
    writer = MediaWriter(tmp_path / name)
    writer.video(pts=range(90000, 126000, 3600), time_base=Fraction(1, 90000), max_b_frames=0)
    writer.audio(start_s=1.0)
    source = writer.write()
    begin_s = times(source)[0]
    assert begin_s >= 1

    assert stylize(source, tmp_path / "out.mp4") == 0

    assert times(tmp_path / "out.mp4") == times(source)
    before, after = streams_of(source, "audio")[0], streams_of(tmp_path / "out.mp4", "audio")[0]
    assert [packet.pts_s for packet in after.packets] == [packet.pts_s for packet in before.packets]


def test_a_video_that_begins_before_zero_is_moved_with_its_audio(
    tmp_path: Path, stylize: Stylize, read_report: ReadReport
) -> None:
    writer = MediaWriter(tmp_path / "in.ts", mpegts_copyts="1", avoid_negative_ts="disabled")
    writer.video(pts=range(-5, 10))
    writer.audio(start_s=-0.2, seconds=0.8)
    source = writer.write()
    assert times(source)[0] == Fraction(-1, 5)

    assert stylize(source, tmp_path / "out.mp4", "--report", tmp_path / "report.json") == 0

    assert numbers(tmp_path / "out.mp4") == list(range(15))
    assert times(tmp_path / "out.mp4") == [Fraction(number, 25) for number in range(15)]
    before, after = streams_of(source, "audio")[0].packets, streams_of(tmp_path / "out.mp4", "audio")[0].packets
    assert len(after) == len(before)
    moved = [late.pts_s - early.pts_s for early, late in zip(before, after, strict=True)]
    assert all(abs(step - Fraction(1, 5)) < Fraction(1, 10000) for step in moved)
    assert any("-0.2 s" in note and "moved" in note for note in read_report()["notes"])


def test_milliseconds_of_matroska_are_kept_in_matroska(tmp_path: Path, stylize: Stylize) -> None:
    source = write_clip(
        tmp_path / "in.mkv", time_base=Fraction(1, 1000), pts=[0, 33, 67, 100, 133, 250, 251, 300], max_b_frames=0
    )

    assert stylize(source, tmp_path / "out.mkv") == 0

    assert times(tmp_path / "out.mkv") == times(source)
    assert streams_of(tmp_path / "out.mkv", "audio")[0].packets == streams_of(source, "audio")[0].packets


def test_a_clock_too_fine_for_the_container_is_rounded_and_said(
    tmp_path: Path, stylize: Stylize, read_report: ReadReport
) -> None:
    source = _variable(tmp_path / "in.mp4")

    assert stylize(source, tmp_path / "out.mkv", "--report", tmp_path / "report.json") == 0

    half_tick_s = Fraction(1, 2000)
    before, after = times(source), times(tmp_path / "out.mkv")
    assert len(after) == len(before)
    assert all(abs(a - b) <= half_tick_s for a, b in zip(after, before, strict=True))
    assert any("rounded" in note for note in read_report()["notes"])


@pytest.mark.parametrize("suffix", [".mkv", ".ts"])
def test_priming_before_zero_does_not_move_the_video(suffix: str, tmp_path: Path, stylize: Stylize) -> None:
    source = write_clip(tmp_path / "in.mp4")
    priming = streams_of(source, "audio")[0].packets[0].pts_s
    assert priming is not None
    assert priming < 0

    assert stylize(source, tmp_path / f"out{suffix}") == 0

    assert times(tmp_path / f"out{suffix}") == times(source)


def test_doubled_timestamps_are_repaired_and_counted(tmp_path: Path, stylize: Stylize, read_report: ReadReport) -> None:
    writer = MediaWriter(tmp_path / "in.mkv")
    stream = writer.video("ffv1", pixel_format="yuv444p", time_base=Fraction(1, 1000), pts=range(0, 400, 40))
    packets = writer._packets.pop()()
    for packet in packets[5:6]:
        packet.pts = packet.dts = 160
    writer.container.mux(packets)
    writer.container.close()
    assert stream.type == "video"

    assert stylize(tmp_path / "in.mkv", tmp_path / "out.mp4", "--report", tmp_path / "report.json") == 0

    assert numbers(tmp_path / "out.mp4") == list(range(10))
    assert times(tmp_path / "out.mp4")[4:7] == [Fraction(160, 1000), Fraction(161, 1000), Fraction(240, 1000)]
    assert read_report()["repaired_timestamps"] == 1


def _joined(folder: Path, *, frames: int, sounds_s: tuple[float, ...]) -> Path:
    """Write recordings of so many frames, five a second, one behind the other into a transport stream."""
    parts = []
    for index, sound_s in enumerate(sounds_s):
        writer = MediaWriter(folder / f"part{index}.ts")
        pts = range(0, 18000 * frames, 18000)
        writer.video(pts=pts, time_base=Fraction(1, 90000), max_b_frames=0, rate=Fraction(5))
        writer.audio(seconds=sound_s)
        parts.append(writer.write().read_bytes())
    (folder / "in.ts").write_bytes(b"".join(parts))
    return folder / "in.ts"


def test_a_recording_joined_from_two_goes_on_where_its_clock_jumps_back(
    tmp_path: Path, stylize: Stylize, read_report: ReadReport
) -> None:
    source = _joined(tmp_path, frames=10, sounds_s=(2, 2))

    assert stylize(source, tmp_path / "out.mp4", "--report", tmp_path / "report.json") == 0

    assert numbers(tmp_path / "out.mp4") == [*range(10), *range(10)]
    after = times(tmp_path / "out.mp4")
    assert [later - earlier for earlier, later in pairwise(after)] == [Fraction(1, 5)] * 19
    assert any("jumps back" in note for note in read_report()["notes"])


@pytest.mark.parametrize(("frame", "wrong_s"), [(12, -1.8), (8, 500), (8, -1.4), (0, 0)])
def test_one_wrong_time_moves_no_other(
    frame: int, wrong_s: float, tmp_path: Path, stylize: Stylize, read_report: ReadReport
) -> None:
    writer = MediaWriter(tmp_path / "in.ts")
    video = writer.video(pts=range(0, 360000, 18000), time_base=Fraction(1, 90000), max_b_frames=0, rate=Fraction(5))
    writer.audio(seconds=4)
    source = writer.write()
    assert video.type == "video"
    _patch_time(source, frame, wrong_s)

    assert stylize(source, tmp_path / "out.mp4", "--report", tmp_path / "report.json") == 0

    after = times(tmp_path / "out.mp4")
    assert [later - earlier for earlier, later in pairwise(after)] == [Fraction(1, 5)] * 19
    assert read_report()["repaired_timestamps"] == (1 if wrong_s else 0)


@pytest.mark.parametrize("shown_s", [(0, 5, 7, 12), (0, 5, 10, 10.1, 10.2, 15, 20), (0, 0.04, 9, 9.04, 9.08)])
def test_times_that_grow_are_kept_whatever_durations_say(
    shown_s: tuple[float, ...], tmp_path: Path, stylize: Stylize, read_report: ReadReport
) -> None:
    ticks = [round(1000 * at_s) for at_s in shown_s]
    writer = MediaWriter(tmp_path / "in.mkv")
    writer.video(time_base=Fraction(1, 1000), pts=ticks, durations=[5000] * len(ticks), max_b_frames=0)
    source = writer.write()

    assert stylize(source, tmp_path / "out.mkv", "--report", tmp_path / "report.json") == 0

    assert times(tmp_path / "out.mkv") == [Fraction(tick, 1000) for tick in ticks]
    assert read_report()["repaired_timestamps"] == 0


@pytest.mark.parametrize("pause_at", [5, 6, 7, 8])
def test_a_pause_among_reordered_frames_moves_nothing(
    pause_at: int, tmp_path: Path, stylize: Stylize, read_report: ReadReport
) -> None:
    """MP4 takes durations from the order of coding: that of the pause lands on another frame."""
    ticks = [40 * number + 6000 * (number >= pause_at) for number in range(16)]
    writer = MediaWriter(tmp_path / "in.mp4")
    writer.video(time_base=Fraction(1, 1000), pts=ticks, options={"bf": "3", "b-adapt": "0"})
    source = writer.write()

    assert stylize(source, tmp_path / "out.mp4", "--report", tmp_path / "report.json") == 0

    assert times(tmp_path / "out.mp4") == times(source)
    assert read_report()["repaired_timestamps"] == 0


def _patch_time(path: Path, frame: int, by_s: float) -> None:
    """Change the times in the header of one frame of the video of a transport stream."""
    content = bytearray(path.read_bytes())
    begin = -1
    for _ in range(frame + 1):
        begin = content.index(b"\0\0\1\xe0", begin + 1)
    for position in (begin + 9, begin + 14)[: 1 + (content[begin + 7] >> 6 == 3)]:
        five = content[position : position + 5]
        ticks = (five[0] >> 1 & 7) << 30 | five[1] << 22 | (five[2] >> 1) << 15 | five[3] << 7 | five[4] >> 1
        ticks = (ticks + round(by_s * 90000)) % 2**33
        content[position : position + 5] = bytes(
            [five[0] & 0xF0 | ticks >> 29 & 0xE | 1, ticks >> 22 & 255, ticks >> 14 & 254 | 1, ticks >> 7 & 255,
             ticks << 1 & 254 | 1]
        )  # fmt: skip
    path.write_bytes(content)


def test_what_belongs_together_stays_together_behind_a_seam(tmp_path: Path, stylize: Stylize) -> None:
    """The sound of the first part ends before its picture."""
    source = _joined(tmp_path, frames=20, sounds_s=(2.5, 4))

    assert stylize(source, tmp_path / "out.mkv") == 0

    sound = [packet.pts_s for packet in streams_of(tmp_path / "out.mkv", "audio")[0].packets]
    gaps = [(earlier, later) for earlier, later in pairwise(sound) if later - earlier > Fraction(1, 2)]
    assert len(gaps) == 1, "the silence of the first part is kept"
    assert abs(gaps[0][0] - Fraction("2.5")) < 0.1
    assert abs(gaps[0][1] - 4) < 0.1, "where the picture of the second begins"
    assert abs(sound[-1] - 8) < 0.1


def test_the_end_of_a_range_is_found_where_the_clock_has_jumped_back(tmp_path: Path, stylize: Stylize) -> None:
    source = _joined(tmp_path, frames=10, sounds_s=(2, 2))

    assert stylize(source, tmp_path / "out.mp4", "--end", "3") == 0

    assert numbers(tmp_path / "out.mp4") == [*range(10), *range(5)]
    last = streams_of(tmp_path / "out.mp4", "audio")[0].packets[-1]
    assert abs(last.pts_s + last.duration_s - 3) < 0.1


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_start_and_end_cut_video_and_audio_alike(suffix: str, tmp_path: Path, stylize: Stylize) -> None:
    writer = MediaWriter(tmp_path / f"in{suffix}")
    writer.video(pts=range(100), options={"g": "10"})
    writer.audio(seconds=4)
    source = writer.write()
    start, end = Fraction("1.2"), Fraction("2.4")

    assert stylize(source, tmp_path / "out.mp4", "--start", "1.2", "--end", "2.4") == 0

    assert numbers(tmp_path / "out.mp4") == list(range(30, 60))
    assert times(tmp_path / "out.mp4") == [Fraction(number, 25) for number in range(30)]
    begin_s = times(source)[0]
    wanted = [
        packet
        for packet in streams_of(source, "audio")[0].packets
        if packet.pts_s + packet.duration_s > begin_s + start and packet.pts_s < begin_s + end
    ]
    after = streams_of(tmp_path / "out.mp4", "audio")[0].packets
    assert len(after) == len(wanted)
    tick_s = Fraction(1, 1000)
    for cut, whole in zip(after, wanted, strict=True):
        assert suffix == ".ts" or cut.content == whole.content  # ADTS headers go where the container has its own
        assert abs(cut.pts_s - (whole.pts_s - begin_s - start)) <= tick_s


def test_an_empty_range_is_said(tmp_path: Path, stylize: Stylize, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_clip(tmp_path / "in.mp4")

    assert stylize(source, tmp_path / "out.mp4", "--start", "5") == 1

    assert "no frame" in capsys.readouterr().err
    assert not (tmp_path / "out.mp4").exists()
