"""A painted key frame is carried along the motion of the video; what it does not show is the later frame itself."""

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch: pip install stylecast[train]")

from PIL import Image

from export.keyframe_start import StartCarrier

HEIGHT, WIDTH = 96, 128
STEP_PX, STEPS = 6, 5
# The rim that comes into view, and as much again for the seam and what motion near it is not certain of.
NEW_PX = STEP_PX * STEPS
RIM_PX = 12


def _scene() -> "np.ndarray":
    cells = np.random.default_rng(1).integers(0, 256, (24, 48, 3), dtype=np.uint8)
    return cv2.resize(cells, (2 * WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)


def _view(picture: "np.ndarray", step: int) -> Image.Image:
    """Return what a camera sees that pans to the right."""
    return Image.fromarray(picture[:, step * STEP_PX : step * STEP_PX + WIDTH])


def _carried(painted: Image.Image) -> "np.ndarray":
    scene = _scene()
    carrier = StartCarrier(_view(scene, 0))
    for step in range(1, STEPS + 1):
        carrier.add(_view(scene, step))
    carried = carrier.carry(painted)
    assert carried is not None
    return np.asarray(carried).astype(int)


def test_the_painting_moves_with_the_video_and_new_parts_are_the_frame() -> None:
    scene = _scene()
    negative = 255 - scene

    carried = _carried(_view(negative, 0))

    known, new = slice(RIM_PX, WIDTH - NEW_PX - RIM_PX), slice(WIDTH - NEW_PX + RIM_PX, None)
    moved, frame = (np.asarray(_view(picture, STEPS)).astype(int) for picture in (negative, scene))
    still = np.asarray(_view(negative, 0)).astype(int)
    assert np.abs(carried - moved)[:, known].mean() < 0.25 * np.abs(still - moved)[:, known].mean()
    assert np.abs(carried - frame)[:, new].mean() < 3


def test_a_painting_of_another_size_is_carried_at_its_size() -> None:
    large = _view(255 - _scene(), 0).resize((2 * WIDTH, 2 * HEIGHT))

    carried = _carried(large)

    assert carried.shape == (2 * HEIGHT, 2 * WIDTH, 3)
    moved = np.asarray(_view(255 - _scene(), STEPS).resize((2 * WIDTH, 2 * HEIGHT))).astype(int)
    known = slice(2 * RIM_PX, 2 * (WIDTH - NEW_PX - RIM_PX))
    assert (
        np.abs(carried - moved)[:, known].mean() < 0.25 * np.abs(np.asarray(large).astype(int) - moved)[:, known].mean()
    )


def test_nothing_is_carried_over_a_cut() -> None:
    scene = _scene()
    carrier = StartCarrier(_view(scene, 0))
    carrier.add(_view(255 - scene[::-1, ::-1], 3))
    carrier.add(_view(scene, 1))

    assert carrier.carry(_view(scene, 0)) is None
