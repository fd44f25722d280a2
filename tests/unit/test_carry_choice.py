"""Where two ways to carry key frames are compared: far from key frames, and never across a cut."""

from fractions import Fraction

from realtime.carry_choice import FRAMES_MAX, _furthest
from realtime.clip_survey import ClipSurvey


def _survey(*scenes: int, frames: int) -> ClipSurvey:
    return ClipSurvey(tuple(Fraction(number, 10) for number in range(frames)), Fraction(0), scenes)


def test_frames_between_key_frames_and_the_ends_of_scenes_are_compared_within_their_scene() -> None:
    survey = _survey(0, 20, frames=40)

    assert _furthest([5, 15, 30], survey.scenes_in(range(40))) == [(0, 5), (10, 5), (19, 15), (20, 30), (39, 30)]


def test_one_key_frame_is_compared_too_and_key_frames_themselves_never() -> None:
    assert _furthest([0], [range(10)]) == [(9, 0)]
    assert _furthest([0, 1], [range(2)]) == []


def test_a_long_clip_is_sampled_over_its_length() -> None:
    found = _furthest(range(0, 1000, 10), [range(1000)])

    assert len(found) <= FRAMES_MAX
    assert found[-1][0] > 800


def test_only_frames_of_the_range_are_compared() -> None:
    survey = _survey(0, 20, frames=40)

    assert _furthest([15, 25], survey.scenes_in(range(12, 30))) == [(12, 15), (19, 15), (20, 25), (29, 25)]
