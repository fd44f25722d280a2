"""What is done last: strength, colours, enlarging along the frame's edges."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from realtime.finish import enlarge_guided, finish, with_colors_of
from realtime.settings import Controls
from realtime.stylizer import Stylized

Picture = NDArray[np.uint8]

# Grey levels: conversions to YCrCb and back round to bytes twice.
ROUNDING_LEVELS = 2


def _noise(seed: int, height: int = 48, width: int = 64) -> Picture:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def _soft(seed: int, height: int = 48, width: int = 64) -> Picture:
    """Return mid-tones that stay in range whatever luminance they get."""
    cells = np.random.default_rng(seed).integers(110, 146, (4, 4, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(cells, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def _difference(first: Picture, second: Picture) -> int:
    return int(np.abs(first.astype(int) - second.astype(int)).max())


@pytest.mark.parametrize("keep_colors", [False, True])
def test_strength_zero_is_the_frame(keep_colors: bool) -> None:
    frame = _noise(1)

    picture = finish(frame, Stylized(frame, _noise(2)), Controls(strength=0, keep_colors=keep_colors))

    assert np.array_equal(picture, frame)


def test_strength_zero_is_the_frame_when_the_network_ran_smaller() -> None:
    frame = _noise(1)

    assert np.array_equal(finish(frame, Stylized(_noise(2, 24, 32), _noise(3, 24, 32)), Controls(strength=0)), frame)


def test_strength_one_is_what_the_network_made() -> None:
    frame, stylized = _noise(1), _noise(2)

    assert np.array_equal(finish(frame, Stylized(frame, stylized), Controls(strength=1)), stylized)


@pytest.mark.parametrize("strength", [0.1, 0.5, 0.75])
def test_strength_blends_frame_and_style(strength: float) -> None:
    frame, stylized = _noise(1), _noise(2)

    picture = finish(frame, Stylized(frame, stylized), Controls(strength=strength))

    assert np.abs(picture - (strength * stylized + (1 - strength) * frame)).max() <= 0.51


def test_strength_that_the_network_has_applied_is_not_applied_again() -> None:
    frame, stylized = _noise(1), _noise(2)

    picture = finish(frame, Stylized(frame, stylized, has_strength=True), Controls(strength=0.5))

    assert np.array_equal(picture, stylized)


def test_strength_zero_is_the_frame_even_where_the_network_only_comes_close() -> None:
    frame = _noise(1)

    made = Stylized(frame, np.clip(frame, 3, 250), has_strength=True)

    assert np.array_equal(finish(frame, made, Controls(strength=0)), frame)


def test_inputs_are_not_written_to() -> None:
    frame, stylized = _noise(1), _noise(2)

    finish(frame, Stylized(frame, stylized), Controls(strength=0.5, keep_colors=True))

    assert np.array_equal(frame, _noise(1))
    assert np.array_equal(stylized, _noise(2))


def test_kept_colours_are_the_frames_and_luminance_is_the_styles() -> None:
    frame, stylized = _soft(1), _soft(2)

    result = cv2.cvtColor(with_colors_of(frame, stylized), cv2.COLOR_RGB2YCrCb)

    assert _difference(result[..., 1:], cv2.cvtColor(frame, cv2.COLOR_RGB2YCrCb)[..., 1:]) <= ROUNDING_LEVELS
    assert _difference(result[..., 0], cv2.cvtColor(stylized, cv2.COLOR_RGB2YCrCb)[..., 0]) <= ROUNDING_LEVELS


def test_grey_frame_stays_grey_when_colours_are_kept() -> None:
    grey = np.repeat(_noise(1)[..., :1], 3, axis=2)

    picture = finish(grey, Stylized(grey, _noise(2)), Controls(keep_colors=True))

    assert _difference(picture, np.repeat(picture[..., :1], 3, axis=2)) == 0
    assert not np.array_equal(picture, grey)


@pytest.mark.parametrize(("height", "width"), [(48, 64), (47, 63), (1, 5), (360, 90)])
@pytest.mark.parametrize(("small_height", "small_width"), [(24, 32), (1, 1), (17, 31)])
def test_flat_picture_stays_flat_when_enlarged(height: int, width: int, small_height: int, small_width: int) -> None:
    frame = np.full((height, width, 3), 80, np.uint8)
    content = np.full((small_height, small_width, 3), 80, np.uint8)
    stylized = np.full((small_height, small_width, 3), (200, 30, 90), np.uint8)

    picture = enlarge_guided(frame, Stylized(content, stylized))

    assert picture.shape == frame.shape
    assert picture.dtype == np.uint8
    assert np.array_equal(np.unique(picture.reshape(-1, 3), axis=0), [[200, 30, 90]])


def _edge(factor: int) -> tuple[Picture, Stylized]:
    """Return a frame with a hard vertical edge and what a network makes of the small one: the same, other colours."""
    frame = np.full((32 * factor, 32 * factor, 3), 40, np.uint8)
    frame[:, 15 * factor + factor // 2 :] = 200
    content = np.asarray(cv2.resize(frame, (32, 32), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return frame, Stylized(content, np.asarray(content // 2 + 60, dtype=np.uint8))


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_edge_of_the_frame_comes_out_sharper_than_by_bicubic_enlargement(factor: int) -> None:
    frame, made = _edge(factor)
    ideal = frame // 2 + 60

    guided = enlarge_guided(frame, made)
    bicubic = cv2.resize(made.stylized, frame.shape[1::-1], interpolation=cv2.INTER_CUBIC)

    def steepest(picture: Picture) -> int:
        return int(np.abs(np.diff(picture[16, :, 0].astype(int))).max())

    def error(picture: Picture) -> float:
        return float(np.abs(picture.astype(int) - ideal.astype(int)).mean())

    assert steepest(guided) > 1.5 * steepest(bicubic)
    assert error(guided) < 0.6 * error(bicubic)


def test_edge_that_the_style_dropped_does_not_come_back() -> None:
    frame, made = _edge(3)
    flat = np.full_like(made.stylized, 120)

    assert _difference(enlarge_guided(frame, Stylized(made.content, flat)), np.full_like(frame, 120)) == 0
