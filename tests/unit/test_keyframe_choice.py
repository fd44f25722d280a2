"""The choice of key frames: every scene has one, they spread over time, and the sharp ones are taken."""

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from realtime.clip_survey import survey_clip
from realtime.errors import UsageError
from realtime.keyframe_choice import choose_keyframes
from tests.media import MediaWriter

SIZE = (128, 96)


def _scene(seed: int, *, blur_px: float = 0.0) -> "np.ndarray":
    """Return a picture of small squares with edges, another one for each seed."""
    cells = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    picture = cv2.resize(cells, SIZE, interpolation=cv2.INTER_NEAREST)
    return cv2.GaussianBlur(picture, (0, 0), blur_px) if blur_px else picture


def _video(path: Path, pictures: list["np.ndarray"]) -> Path:
    writer = MediaWriter(path)
    writer.video(pts=range(len(pictures)), size=SIZE, picture=lambda number, _: pictures[number])
    writer.write()
    return path


def _choose(path: Path, count: int, numbers: range | None = None) -> list[int]:
    survey = survey_clip(path)
    scenes = survey.scenes_in(range(len(survey.times_s)) if numbers is None else numbers)
    return choose_keyframes(path, count, scenes=scenes)


def test_every_scene_has_one_before_any_has_two(tmp_path: Path) -> None:
    lengths = (60, 8, 20)
    video = _video(tmp_path / "in.mp4", [_scene(seed) for seed, length in enumerate(lengths) for _ in range(length)])

    chosen = _choose(video, 3)

    assert [sum(begin <= number < end for number in chosen) for begin, end in pairwise((0, 60, 68, 88))] == [1, 1, 1]


def test_further_ones_go_to_the_longest_stretches(tmp_path: Path) -> None:
    video = _video(tmp_path / "in.mp4", [_scene(1)] * 60 + [_scene(2)] * 20)

    chosen = _choose(video, 4)

    assert [number < 60 for number in chosen] == [True, True, True, False]
    gaps = [after - before for before, after in pairwise(chosen[:3])]
    assert all(10 <= gap <= 30 for gap in gaps)


def test_fewer_than_scenes_go_to_the_longest(tmp_path: Path) -> None:
    video = _video(tmp_path / "in.mp4", [_scene(1)] * 10 + [_scene(2)] * 30 + [_scene(3)] * 12)

    assert 10 <= _choose(video, 1)[0] < 40


def test_the_sharpest_frame_of_a_stretch_is_taken(tmp_path: Path) -> None:
    pictures = [_scene(1, blur_px=3)] * 40
    pictures[13] = pictures[27] = _scene(1)

    assert _choose(_video(tmp_path / "in.mp4", pictures), 2) == [13, 27]


@pytest.mark.parametrize("count", [1, 4, 5])
def test_as_many_as_there_are_frames_can_be_chosen(tmp_path: Path, count: int) -> None:
    chosen = _choose(_video(tmp_path / "in.mp4", [_scene(1)] * 5), count)

    assert len(set(chosen)) == count
    assert chosen == sorted(chosen)
    assert set(chosen) <= set(range(5))


def test_more_than_there_are_frames_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has 5 frames to paint, fewer than the 6 key frames"):
        _choose(_video(tmp_path / "in.mp4", [_scene(1)] * 5), 6)


def test_of_a_part_of_a_video_only_its_frames_are_chosen_and_its_scenes_counted(tmp_path: Path) -> None:
    pictures = [_scene(seed, blur_px=3) for seed in range(3) for _ in range(20)]
    pictures[5] = _scene(0)  # sharper, but outside
    pictures[14], pictures[24] = _scene(0), _scene(1)
    video = _video(tmp_path / "in.mp4", pictures)

    assert _choose(video, 2, range(10, 30)) == [14, 24]
    assert all(number in range(10, 30) for number in _choose(video, 20, range(10, 30)))
    with pytest.raises(UsageError, match="has 20 frames to paint"):
        _choose(video, 21, range(10, 30))
