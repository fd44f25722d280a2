"""The filter before the network: what stands still loses its noise, what moves is not touched."""

from fractions import Fraction
from itertools import pairwise

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from realtime.input_motion import MotionTracker
from realtime.noise_filter import CHANGE_MAX_LEVELS, NoiseFilter

HEIGHT, WIDTH = 180, 320
Picture = NDArray[np.uint8]


def _scene(height: int = HEIGHT, width: int = WIDTH) -> Picture:
    """Return smooth colours with fine texture of some levels on the right half."""
    random = np.random.default_rng(2)
    smooth = cv2.resize(random.uniform(60, 200, (5, 8, 3)), (width, height), interpolation=cv2.INTER_CUBIC)
    texture = cv2.GaussianBlur(random.normal(0, 1, (height, width)), (0, 0), 0.8)
    texture[:, : width // 2] = 0
    return np.clip(smooth + 15 * texture[..., np.newaxis], 0, 255).round().astype(np.uint8)


def _noisy(picture: Picture, random: np.random.Generator, levels: float = 2) -> Picture:
    return np.clip(picture + random.normal(0, levels, picture.shape), 0, 255).round().astype(np.uint8)


def _filtered(frames: list[Picture], fps: int = 25) -> list[Picture]:
    motion, noise = MotionTracker(), NoiseFilter()
    return [noise.filter(frame, motion.look(frame, Fraction(index, fps)))[0] for index, frame in enumerate(frames)]


def _change(frames: list[Picture]) -> float:
    """Return the mean square of what changes from frame to frame, once the filter has settled."""
    return float(np.mean([np.mean((one.astype(float) - other) ** 2) for one, other in pairwise(frames[3:])]))


def test_noise_of_what_stands_still_is_taken_out() -> None:
    scene, random = _scene(), np.random.default_rng(0)
    frames = [_noisy(scene, random) for _ in range(12)]

    filtered = _filtered(frames)

    assert _change(filtered) < 0.15 * _change(frames)
    errors = [np.abs(frames[-1].astype(int) - scene).mean(), np.abs(filtered[-1].astype(int) - scene).mean()]
    assert errors[1] < 0.6 * errors[0]


@pytest.mark.parametrize("pan_px", [(1, 0), (3, 1), (0, 8)])
def test_pan_over_fine_texture_is_left_alone(pan_px: tuple[int, int]) -> None:
    scene, random = _scene(300, 480), np.random.default_rng(1)
    views = [
        scene[y : y + HEIGHT, x : x + WIDTH] for x, y in ((index * pan_px[0], index * pan_px[1]) for index in range(12))
    ]
    frames = [_noisy(view, random, levels=1) for view in views]

    changed = [np.mean(frame != filtered) for frame, filtered in zip(frames, _filtered(frames), strict=True)]

    assert max(changed) < 0.02


def test_what_appears_and_moves_is_seen_at_once() -> None:
    scene, random = _scene(), np.random.default_rng(3)
    frames = [_noisy(scene, random) for _ in range(10)]
    for index in range(5, 10):
        frames[index][60:100, 20 * index : 20 * index + 30] = (250, 20, 20)

    filtered = _filtered(frames)

    for index in range(5, 10):
        thing = np.s_[60:100, 20 * index : 20 * index + 30]
        assert np.array_equal(filtered[index][thing], frames[index][thing])


def test_nothing_is_ever_further_off_than_noise_is() -> None:
    random = np.random.default_rng(4)
    frames = [random.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8) // 8 for _ in range(4)]

    for frame, filtered in zip(frames, _filtered(frames), strict=True):
        assert np.abs(frame.astype(int) - filtered).max() <= CHANGE_MAX_LEVELS


def test_slow_fade_is_followed() -> None:
    scene = _scene()
    frames = [(scene * (1 - 0.005 * index)).round().astype(np.uint8) for index in range(20)]

    assert np.abs(frames[-1].astype(int) - _filtered(frames)[-1]).max() <= 6


def test_frames_without_a_past_are_returned_as_they_are() -> None:
    scene, random = _scene(), np.random.default_rng(5)
    motion, noise = MotionTracker(), NoiseFilter()

    def filtered(frame: Picture, pts_s: Fraction) -> Picture:
        return noise.filter(frame, motion.look(frame, pts_s))[0]

    first, after_gap, other_size, next_frame, after_reset = (
        _noisy(picture, random) for picture in (scene, scene, scene[:150], scene[:150], scene[:150])
    )
    times_s = (Fraction(0), Fraction(2), Fraction(51, 25))
    for frame, pts_s in zip((first, after_gap, other_size), times_s, strict=True):
        assert filtered(frame, pts_s) is frame
    assert filtered(next_frame, Fraction(52, 25)) is not next_frame
    noise.reset()
    assert filtered(after_reset, Fraction(53, 25)) is after_reset


def test_what_stands_still_has_no_motion_and_what_moves_keeps_it() -> None:
    scene, random = _scene(), np.random.default_rng(7)
    motion, noise = MotionTracker(), NoiseFilter()
    for index in range(4):
        frame = _noisy(scene, random)
        frame[60:120, 8 * index : 8 * index + 80] = _noisy(_scene()[30:90, 230:310], random)
        look = motion.look(frame, Fraction(index, 25))
        filtered_look = noise.filter(frame, look)[1]

    assert look.motion is not None
    assert filtered_look.motion is not None
    moving, still = np.s_[35:55, 20:45], np.s_[:, 100:]
    assert np.abs(look.motion.flow[still]).max() > 0
    assert not filtered_look.motion.flow[still].any()
    assert np.array_equal(filtered_look.motion.flow[moving], look.motion.flow[moving])


def test_frames_may_be_views_of_larger_ones() -> None:
    scene, random = _scene(), np.random.default_rng(8)
    frames = [_noisy(scene, random) for _ in range(3)]
    views = [np.pad(frame, [(0, 0), (0, 5), (0, 0)])[:, :-5] for frame in frames]

    for filtered, expected in zip(_filtered(views), _filtered(frames), strict=True):
        assert np.array_equal(filtered, expected)


def test_frames_are_not_written_to() -> None:
    scene, random = _scene(), np.random.default_rng(6)
    frames = [_noisy(scene, random) for _ in range(3)]
    kept = [frame.copy() for frame in frames]

    _filtered(frames)

    assert all(np.array_equal(frame, copy) for frame, copy in zip(frames, kept, strict=True))
