"""A camera on a tripod: it is told from one that moves, and under it only what really moves is carried."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from realtime.clip_survey import survey_clip
from realtime.motion import MotionEstimator
from realtime.static_camera import hold_still, stands_still
from tests.media import MediaWriter

Grey = NDArray[np.uint8]
SIZE = (240, 136)
NOISE_LEVELS = 1.5
CAR_PX, CAR_STEP_PX = 40, 4
MARGIN_PX = 24


def _texture(width: int, height: int, seed: int) -> NDArray[np.float32]:
    cells = np.random.default_rng(seed).uniform(0, 255, (height // 8 + 1, width // 8 + 1)).astype(np.float32)
    return np.asarray(cv2.resize(cells, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.float32)


def _noisy(picture: NDArray[np.float32], index: int) -> Grey:
    noise = np.random.default_rng(index).normal(0, NOISE_LEVELS, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def _car_park(index: int) -> Grey:
    """Return a flat ground between textured kerbs, over which a textured square moves to the right."""
    width, height = SIZE
    picture = np.full((height, width), 90, np.float32)
    kerbs = _texture(width, height, 1)
    picture[:16], picture[-16:] = kerbs[:16], kerbs[-16:]
    left = 40 + CAR_STEP_PX * index
    picture[48 : 48 + CAR_PX, left : left + CAR_PX] = _texture(CAR_PX, CAR_PX, 2)
    return _noisy(picture, index)


def _pan(index: int) -> Grey:
    width, height = SIZE
    return _noisy(_texture(2 * width, height, 3)[:, 2 * index : 2 * index + width], index)


def _flows(view: Callable[[int], Grey]) -> tuple[Grey, Grey, NDArray[np.float32], NDArray[np.float32]]:
    first, second, motion = view(0), view(1), MotionEstimator()
    return first, second, motion.estimate(first, second), motion.estimate(second, first)


def test_what_moves_keeps_its_motion_and_the_ground_has_none() -> None:
    first, second, forth, back = _flows(_car_park)
    held, _ = hold_still(forth, back, grey=first, following=second)

    car = (slice(52, 44 + CAR_PX), slice(44, 36 + CAR_PX))
    far = np.s_[48 : 48 + CAR_PX, 40 + CAR_PX + MARGIN_PX + 40 :]
    assert np.median(held[car][..., 0]) == pytest.approx(CAR_STEP_PX, abs=0.5)
    assert np.abs(forth[far]).max() > 0.5  # the flow does follow the noise
    assert np.abs(held[far]).max() < 0.01


def test_a_tripod_is_told_from_a_pan() -> None:
    still, panned = _flows(_car_park), _flows(_pan)

    assert stands_still(still[0], still[2])
    assert not stands_still(panned[0], panned[2])


def test_a_picture_without_structure_tells_nothing() -> None:
    flat = np.full(SIZE[::-1], 80, np.uint8)

    assert not stands_still(flat, np.zeros((*flat.shape, 2), np.float32))


@pytest.mark.parametrize(("view", "static"), [(_car_park, {0}), (_pan, set())])
def test_a_survey_tells_the_scenes_of_a_still_camera(
    view: Callable[[int], Grey], static: set[int], tmp_path: Path
) -> None:
    writer = MediaWriter(tmp_path / "in.mp4")
    writer.video(pts=range(12), size=SIZE, picture=lambda index, _: np.repeat(view(index)[..., np.newaxis], 3, axis=2))
    writer.write()

    assert survey_clip(tmp_path / "in.mp4", finds_static=True).static_scenes == static
