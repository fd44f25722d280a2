"""Timecodes count on, over midnight and over the numbers that drop-frame leaves out."""

from fractions import Fraction

import pytest

from realtime.timecode import timecode_after

NTSC = Fraction(30000, 1001)


@pytest.mark.parametrize(
    ("timecode", "frames", "rate", "after"),
    [
        ("01:00:00:00", 25, Fraction(25), "01:00:01:00"),
        ("23:59:59:24", 1, Fraction(25), "00:00:00:00"),
        ("00:00:59;29", 1, NTSC, "00:01:00;02"),
        ("00:09:59;29", 1, NTSC, "00:10:00;00"),
        ("00:01:59;29", 1, NTSC, "00:02:00;02"),
        ("00:00:00;00", 17982, NTSC, "00:10:00;00"),
        ("23:59:59;29", 1, NTSC, "00:00:00;00"),
        ("00:00:59;59", 1, 2 * NTSC, "00:01:00;04"),
        ("00:00:59:29", 1, NTSC, "00:01:00:00"),
        ("00:00:00:00", 0, Fraction(24000, 1001), "00:00:00:00"),
        ("noon", 1, Fraction(25), None),
    ],
)
def test_it_counts_on(timecode: str, frames: int, rate: Fraction, after: str | None) -> None:
    assert timecode_after(timecode, frames, rate=rate) == after


def test_no_number_of_a_day_comes_twice() -> None:
    now, seen = "00:00:00;00", set()
    for _ in range(2 * 17982):
        seen.add(now)
        following = timecode_after(now, 1, rate=NTSC)
        assert following is not None
        now = following

    assert len(seen) == 2 * 17982
    assert now == "00:20:00;00"
