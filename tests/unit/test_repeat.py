"""What looks the same is a repeat; whatever a viewer could see move, blink or fade is none."""

from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from realtime.repeat import RepeatDetector

Picture = NDArray[np.uint8]

SIZE = (322, 182)  # not whole blocks
# Pixels by which a moving picture may lag, and grey levels by which a fading one may: less than anybody sees.
LAG_MAX_PX = 0.25
LAG_MAX_LEVELS = 1.0


def _scene(seed: int = 1, width: int = SIZE[0]) -> Picture:
    random = np.random.default_rng(seed)
    picture = np.zeros((SIZE[1], width, 3), np.float32)
    for cells, share in ((4, 90), (16, 50), (48, 30)):
        picture += share * cv2.resize(random.random((cells, cells, 3), dtype=np.float32), (width, SIZE[1]))
    return np.asarray(np.clip(picture + 30, 0, 255), dtype=np.uint8)


def _repeats(frames: Iterator[Picture] | list[Picture], *, exactly: bool = False) -> list[bool]:
    detector = RepeatDetector()
    return [detector.is_repeat(frame, exactly=exactly) for frame in frames]


@pytest.mark.parametrize("exactly", [True, False])
def test_the_same_frame_is_a_repeat_and_the_first_is_none(exactly: bool) -> None:
    frame = _scene()

    assert _repeats([frame, frame.copy(), frame.copy()], exactly=exactly) == [False, True, True]


@pytest.mark.parametrize("exactly", [True, False])
def test_another_frame_is_none_and_is_what_the_next_is_compared_with(exactly: bool) -> None:
    a, b = _scene(1), _scene(2)

    assert _repeats([a, b, b, a, a], exactly=exactly) == [False, False, True, False, True]


def test_exactly_means_every_byte() -> None:
    frame = _scene()
    other = frame.copy()
    other[100, 100, 1] ^= 1

    assert _repeats([frame, other], exactly=True) == [False, False]
    assert _repeats([frame, other], exactly=False) == [False, True]


def test_both_ways_of_comparing_may_alternate() -> None:
    detector, a, b = RepeatDetector(), _scene(1), _scene(2)
    detector.is_repeat(a, exactly=True)
    detector.is_repeat(b, exactly=False)

    assert not detector.is_repeat(a, exactly=True)
    assert detector.is_repeat(a, exactly=False)


def test_faint_noise_of_an_encoder_is_a_repeat() -> None:
    random, frame = np.random.default_rng(1), _scene()
    noisy = [np.clip(np.rint(frame + random.normal(0, 1.2, frame.shape)), 0, 255).astype(np.uint8) for _ in range(5)]

    assert _repeats([frame, *noisy]) == [False] + [True] * 5


def test_other_size_is_no_repeat() -> None:
    assert _repeats([np.zeros((8, 8, 3), np.uint8), np.zeros((8, 16, 3), np.uint8)]) == [False, False]


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 50, 3), (16, 16, 3)])
def test_tiny_pictures_are_compared_too(shape: tuple[int, ...]) -> None:
    black, grey = np.zeros(shape, np.uint8), np.full(shape, 20, np.uint8)

    assert _repeats([black, black, grey, grey]) == [False, True, False, True]


def _with_box(left: int, top: int, width: int, height: int, change: int) -> Picture:
    frame = _scene().astype(int)
    frame[top : top + height, left : left + width] += change
    return np.asarray(np.clip(frame, 0, 255), dtype=np.uint8)


@pytest.mark.parametrize("change", [-60, 60, 12])
@pytest.mark.parametrize("place", [(0, 0), (101, 51), (102, 90), (SIZE[0] - 6, SIZE[1] - 6)])
def test_a_fly_of_six_pixels_is_seen_wherever_it_sits(place: tuple[int, int], change: int) -> None:
    without = _scene()

    assert _repeats([without, _with_box(*place, 6, 6, change), without]) == [False] * 3


def test_a_moving_fly_never_stands_still() -> None:
    assert not any(_repeats([_with_box(20 + 2 * step, 80 + step, 6, 6, -70) for step in range(30)]))


@pytest.mark.parametrize(("width", "height"), [(1, 12), (2, 14), (8, 2)])
def test_a_blinking_cursor_blinks(width: int, height: int) -> None:
    off, on = _scene(), _with_box(131, 77, width, height, 90)

    assert _repeats([off, on, on, off, off, on]) == [False, False, True, False, True, False]


def test_a_segment_of_a_clocks_digit_is_seen_when_it_changes() -> None:
    assert _repeats([_scene(), _with_box(150, 91, 2, 8, 60)]) == [False, False]


def test_a_change_of_colour_alone_is_seen() -> None:
    red, green = _scene(), _scene()
    red[90:96, 90:96] = (150, 90, 90)
    green[90:96, 90:96] = (90, 120, 90)

    assert _repeats([red, green]) == [False, False]


def _lags(count: int, picture: Callable[[int], Picture]) -> list[int]:
    """Return by how many frames what is shown is late, for each of `count` frames."""
    lags, detector = [], RepeatDetector()
    for index in range(count):
        lags.append(lags[-1] + 1 if detector.is_repeat(picture(index), exactly=False) else 0)
    return lags


@pytest.mark.parametrize("levels_per_frame", [0.02, 0.1, 0.3])
def test_a_slow_fade_goes_on(levels_per_frame: float) -> None:
    frame = _scene().astype(np.float32)

    lags = _lags(200, lambda index: np.clip(frame - index * levels_per_frame, 0, 255).astype(np.uint8))

    assert max(lags) * levels_per_frame <= LAG_MAX_LEVELS


@pytest.mark.parametrize("px_per_frame", [0.01, 0.03, 0.1])
def test_a_slow_pan_goes_on(px_per_frame: float) -> None:
    scene = _scene()
    scene[40:90, 60:160] = 230  # something with edges to see it by

    def moved(index: int) -> Picture:
        shift = np.array([[1, 0, -index * px_per_frame], [0, 1, 0]], np.float32)
        return np.asarray(cv2.warpAffine(scene, shift, SIZE, borderMode=cv2.BORDER_REPLICATE), dtype=np.uint8)

    assert max(_lags(120, moved)) * px_per_frame <= LAG_MAX_PX


def test_a_small_thing_that_appears_slowly_appears() -> None:
    lags = _lags(100, lambda index: _with_box(100, 80, 6, 6, index))

    assert max(lags) <= 6  # levels of contrast, one a frame
