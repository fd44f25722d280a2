"""The motion of the input: which frames follow the last one, and where their pixels come from."""

from fractions import Fraction

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from realtime.input_motion import MotionTracker

Picture = NDArray[np.uint8]
FRAME_S = Fraction(1, 25)


def _scene(seed: int = 1, height: int = 180, width: int = 320) -> Picture:
    cells = np.random.default_rng(seed).integers(0, 256, (18, 32, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(cells, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def test_flow_leads_back_to_the_last_frame() -> None:
    wide = _scene(width=400)
    motion = MotionTracker()
    motion.look(np.ascontiguousarray(wide[:, :320]), Fraction(0))

    look = motion.look(np.ascontiguousarray(wide[:, 8:328]), FRAME_S)

    assert look.motion is not None
    # What is here now was 8 pixels further to the right; the small picture has half the size.
    inner = look.motion.flow[20:-20, 20:-20]
    np.testing.assert_allclose(np.median(inner, axis=(0, 1)), (4, 0), atol=0.1)


@pytest.mark.parametrize(
    ("second", "time_s"),
    [
        pytest.param(_scene(), Fraction(2), id="gap"),
        pytest.param(_scene(), Fraction(-1), id="back in time"),
        pytest.param(_scene(), Fraction(0), id="same time"),
        pytest.param(_scene(height=200), FRAME_S, id="other size"),
    ],
)
def test_frame_that_does_not_follow_has_no_motion_and_is_no_cut(second: Picture, time_s: Fraction) -> None:
    motion = MotionTracker()
    first = motion.look(_scene(), Fraction(0))

    look = motion.look(second, time_s)

    assert first.motion is None
    assert not first.is_cut
    assert look.motion is None
    assert not look.is_cut


def test_first_frame_of_a_new_scene_is_a_cut() -> None:
    motion = MotionTracker()
    for index in range(3):
        assert not motion.look(_scene(), index * FRAME_S).is_cut

    look = motion.look(_scene(seed=2), 3 * FRAME_S)

    assert look.is_cut
    assert look.motion is None
    assert motion.look(_scene(seed=2), 4 * FRAME_S).motion is not None


@pytest.mark.parametrize("side", [1, 8, 31])
def test_motion_of_small_pictures_cannot_be_told(side: int) -> None:
    motion = MotionTracker()
    motion.look(_scene(height=side, width=side), Fraction(0))

    assert motion.look(_scene(height=side, width=side), FRAME_S).motion is None


def test_repeat_stands_still() -> None:
    motion = MotionTracker()
    motion.look(_scene(), Fraction(0))

    look = motion.look(_scene(), FRAME_S, is_repeat=True)

    assert look.motion is not None
    assert not look.motion.flow.any()
    assert np.array_equal(look.motion.grey, look.motion.past)


def test_repeat_without_a_past_is_a_first_frame() -> None:
    """As when smoothing is turned on while the picture stands still."""
    motion = MotionTracker()

    assert motion.look(_scene(), Fraction(0), is_repeat=True).motion is None
    assert motion.look(_scene(), FRAME_S).motion is not None
