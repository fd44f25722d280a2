"""Before and after stand left and right as the picture is shown, whichever way it is coded."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from realtime.color import SDR_TAGS
from realtime.settings import SPLIT_KINDS
from realtime.split import SIDE, WIPE, Split
from realtime.video_info import VideoInfo

Picture = NDArray[np.uint8]

INFO = VideoInfo(64, 48, Fraction(1, 25), Fraction(25), True, None, None, SDR_TAGS)
ONE = 1 << 16
# Matrices by ISO/IEC 14496-12, and how often the coded picture must be turned by 90 degrees to the left to be shown.
TURNS = {
    0: (ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30),
    1: (0, -ONE, 0, ONE, 0, 0, 0, 0, 1 << 30),
    2: (-ONE, 0, 0, 0, -ONE, 0, 0, 0, 1 << 30),
    3: (0, ONE, 0, -ONE, 0, 0, 0, 0, 1 << 30),
}


def _pair(height: int = 48, width: int = 64) -> tuple[Picture, Picture]:
    return np.full((height, width, 3), 10, np.uint8), np.full((height, width, 3), 240, np.uint8)


@pytest.mark.parametrize("width", [1, 2, 15, 16, 17, 40, 41])
def test_a_wipe_shows_before_left_and_after_right(width: int) -> None:
    before, after = _pair(8, width)

    picture = Split(WIPE).join(before, after)

    middle = width // 2
    assert picture.shape == before.shape
    assert (picture[:, : max(0, middle - 1)] == 10).all()
    assert (picture[:, middle + 1 :] == 240).all()
    assert (after == 240).all()
    assert (picture == 255).any() == (width > 16)


@pytest.mark.parametrize("width", [1, 40, 41])
def test_side_by_side_shows_both_whole(width: int) -> None:
    before, after = _pair(8, width)

    picture = Split(SIDE).join(before, after)

    assert np.array_equal(picture, np.hstack([before, after]))
    assert picture.flags.c_contiguous


@pytest.mark.parametrize("kind", SPLIT_KINDS)
@pytest.mark.parametrize("turns", TURNS)
def test_left_is_left_as_shown(kind: str, turns: int) -> None:
    split = Split.of(kind, replace(INFO, display_matrix=TURNS[turns]))

    shown = np.rot90(split.join(*_pair()), turns)

    left, right = shown[:, : shown.shape[1] // 2 - 1], shown[:, shown.shape[1] // 2 + 1 :]
    assert (left == 10).all()
    assert (right == 240).all()


@pytest.mark.parametrize("turns", TURNS)
def test_pictures_have_the_size_that_is_told(turns: int) -> None:
    info = replace(INFO, display_matrix=TURNS[turns])

    for kind in SPLIT_KINDS:
        split = Split.of(kind, info)
        described = split.described(info)
        assert split.join(*_pair()).shape == (described.height, described.width, 3)


def test_a_mirrored_video_has_its_left_at_the_coded_end() -> None:
    info = replace(INFO, display_matrix=(-ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30))

    assert (Split.of(WIPE, info).join(*_pair())[:, -20:] == 10).all()
