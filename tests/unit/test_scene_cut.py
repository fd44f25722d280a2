"""Cuts are found; flashes, fades, pans and noise are not taken for cuts."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from realtime.scene_cut import SceneCutDetector

SIZE = (320, 180)


def _scene(seed: int, *, low: int = 0, high: int = 255) -> NDArray[np.uint8]:
    """Return a wide soft scene with its own tones: blobs of light on a gradient."""
    random = np.random.default_rng(seed)
    coarse = random.random((6, 30)).astype(np.float32)
    smooth = cv2.resize(coarse, (SIZE[0] * 4, SIZE[1]), interpolation=cv2.INTER_CUBIC)
    return (low + np.clip(smooth, 0, 1) * (high - low)).astype(np.uint8)


def _view(scene: NDArray[np.uint8], left: int = 0) -> NDArray[np.uint8]:
    return np.ascontiguousarray(scene[:, left : left + SIZE[0]])


def _cuts(frames: list[NDArray[np.uint8]]) -> list[int]:
    detector = SceneCutDetector()
    return [index for index, frame in enumerate(frames) if detector.is_cut(frame)]


@pytest.mark.parametrize("seed", range(10))
def test_a_cut_to_a_scene_of_other_tones_is_found_once(seed: int) -> None:
    before, after = _view(_scene(seed, high=140)), _view(_scene(100 + seed, low=90))

    assert _cuts([before] * 3 + [after] * 3) == [3]


def test_a_flash_is_no_cut() -> None:
    frame = _view(_scene(1, high=150))
    flash = cv2.add(frame, np.full_like(frame, 100))

    assert _cuts([frame, np.asarray(flash, dtype=np.uint8), frame]) == []


def test_a_fade_to_black_and_back_is_no_cut() -> None:
    frame = _view(_scene(2))
    fade = [(frame * share).astype(np.uint8) for share in (1, 0.8, 0.6, 0.4, 0.2, 0.05, 0, 0.05, 0.2, 0.4, 0.7, 1)]

    assert _cuts(fade) == []


def test_a_fast_pan_is_no_cut() -> None:
    scene = _scene(3)

    assert _cuts([_view(scene, left) for left in range(0, 3 * SIZE[0], 40)]) == []


def test_noise_in_the_dark_is_no_cut() -> None:
    random = np.random.default_rng(4)

    assert _cuts([random.integers(0, 6, (180, 320), dtype=np.uint8) for _ in range(20)]) == []


def test_after_a_reset_the_next_frame_is_a_first_one() -> None:
    detector = SceneCutDetector()
    detector.is_cut(_view(_scene(5, high=140)))

    detector.reset()

    assert not detector.is_cut(_view(_scene(105, low=90)))
