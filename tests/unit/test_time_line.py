"""Sparse streams go over a seam with the video, and one wrong time stays alone."""

from fractions import Fraction
from types import SimpleNamespace
from typing import Any

from realtime.time_line import MainClock, StreamLine

TIME_BASE = Fraction(1, 1000)
FRAME_MS = 40


def _packet(ms: int, duration_ms: int = FRAME_MS) -> Any:
    return SimpleNamespace(pts=ms, dts=ms, duration=duration_ms, time_base=TIME_BASE)


def _lines() -> tuple[MainClock, StreamLine, StreamLine]:
    clock = MainClock(frame_s=Fraction(FRAME_MS, 1000))
    sparse, steady = (StreamLine(clock, least_step=1, steady=steady) for steady in (False, True))
    return clock, sparse, steady


def _follow(clock: MainClock, times_ms: range) -> None:
    for ms in times_ms:
        clock.follow(_packet(ms))


def _pushed(line: StreamLine, *packets: Any) -> list[int]:
    return [timed.dts for packet in packets for timed in line.push(packet)]


def test_subtitles_of_the_second_part_go_with_its_picture() -> None:
    clock, subtitles, _ = _lines()
    placed = []
    _follow(clock, range(0, 3000, FRAME_MS))
    placed += _pushed(subtitles, _packet(2900, 500))
    _follow(clock, range(3000, 10_000, FRAME_MS))
    _follow(clock, range(0, 2000, FRAME_MS))
    placed += _pushed(subtitles, _packet(2000, 500))
    _follow(clock, range(2000, 8000, FRAME_MS))
    placed += _pushed(subtitles, _packet(8000, 500))

    assert placed == [2900, 12_000, 18_000]


def test_sound_waits_for_the_picture_to_come_to_the_seam() -> None:
    clock, _, sound = _lines()
    _follow(clock, range(0, 4000, FRAME_MS))
    placed = _pushed(sound, *map(_packet, range(0, 2520, FRAME_MS)))
    assert _pushed(sound, *map(_packet, range(0, 200, FRAME_MS))) == []

    _follow(clock, range(0, 200, FRAME_MS))
    placed = _pushed(sound, *map(_packet, range(200, 400, FRAME_MS)))

    assert placed == [4000 + ms for ms in range(0, 400, FRAME_MS)]


def test_one_wrong_time_of_the_sound_moves_no_other() -> None:
    for wrong_ms in (-5000, 500_000):
        clock, _, sound = _lines()
        _follow(clock, range(0, 4000, FRAME_MS))
        right = list(range(0, 4000, FRAME_MS))

        placed = _pushed(sound, *(_packet(ms + (wrong_ms if ms == 2000 else 0)) for ms in right))

        assert placed == right


def test_one_wrong_time_of_the_picture_is_no_seam() -> None:
    for wrong_ms in (-5000, 500_000):
        clock, _, _ = _lines()
        for ms in range(0, 4000, FRAME_MS):
            clock.follow(_packet(ms + (wrong_ms if ms == 2000 else 0)))

        assert clock.offset_s == 0


def test_a_gap_of_the_sound_is_kept() -> None:
    clock, _, sound = _lines()
    _follow(clock, range(0, 8000, FRAME_MS))
    heard = [*range(0, 2000, FRAME_MS), *range(6000, 8000, FRAME_MS)]

    placed = _pushed(sound, *map(_packet, heard))

    assert placed == heard


def test_sound_that_jumps_alone_goes_on_by_itself() -> None:
    _, _, sound = _lines()
    placed = _pushed(sound, *map(_packet, range(5000, 6000, FRAME_MS)))
    placed += _pushed(sound, *map(_packet, range(0, 1000, FRAME_MS)))
    placed += [timed.dts for timed in sound.flush()]

    assert placed == list(range(5000, 7000, FRAME_MS))


def test_sound_far_before_the_video_is_moved_once() -> None:
    clock, _, sound = _lines()
    _follow(clock, range(0, 10_000, FRAME_MS))
    placed = _pushed(sound, *map(_packet, range(0, 10_000, FRAME_MS)))
    placed += _pushed(sound, *map(_packet, range(0, 4000, FRAME_MS)))  # longer than it waits
    _follow(clock, range(0, 5000, FRAME_MS))
    placed += _pushed(sound, *map(_packet, range(4000, 6000, FRAME_MS)))

    assert placed == list(range(0, 16_000, FRAME_MS))
