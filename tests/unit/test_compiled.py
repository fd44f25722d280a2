"""Compiled loops: they do what OpenCV and NumPy do in more passes, and run where nothing can be kept."""

from typing import Any

import cv2
import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from realtime.compiled import compiled, row_between
from realtime.luminance_history import RANGE_SLACK_LEVELS, blend, widened

SIDES = st.integers(1, 40)


@given(height=SIDES, rows=SIDES)
@settings(deadline=None)
def test_rows_are_enlarged_as_opencv_does(height: int, rows: int) -> None:
    values = np.random.default_rng(0).random((rows, 1)).astype(np.float32)

    enlarged = []
    for row in range(height):
        above, below, share = row_between(row, height, rows)
        enlarged.append(values[above, 0] + share * (values[below, 0] - values[above, 0]))

    np.testing.assert_allclose(enlarged, cv2.resize(values, (1, height)).ravel(), atol=1e-5)


@given(
    height=SIDES, width=SIDES, rows=SIDES, columns=SIDES, channels=st.sampled_from([None, 3]), seed=st.integers(0, 9)
)
@settings(deadline=None)
def test_blend_is_the_clamped_history_by_its_weight(
    height: int, width: int, rows: int, columns: int, channels: int | None, seed: int
) -> None:
    random = np.random.default_rng(seed)
    shape = (height, width) if channels is None else (height, width, channels)
    new, history = (random.integers(0, 256, shape, dtype=np.uint8) for _ in range(2))
    weight = random.random((rows, columns)).astype(np.float32)
    expected = _blended(new, history, np.asarray(cv2.resize(weight, (width, height)), dtype=np.float32))

    blend(new, history, widened(weight, width))

    # One for sums that fall on either side of a half.
    assert np.abs(history.astype(int) - expected).max() <= 1


def _blended(new: NDArray[np.uint8], history: NDArray[np.uint8], weight: NDArray[np.float32]) -> NDArray[np.int64]:
    padded = np.pad(new.astype(float), [(1, 1), (1, 1)] + [(0, 0)] * (new.ndim - 2), mode="edge")
    shifts = [padded[y : y + new.shape[0], x : x + new.shape[1]] for y in range(3) for x in range(3)]
    held = np.clip(history, np.min(shifts, axis=0) - RANGE_SLACK_LEVELS, np.max(shifts, axis=0) + RANGE_SLACK_LEVELS)
    weight = weight.reshape(new.shape[:2] + (1,) * (new.ndim - 2))
    return np.rint(new + weight * (held - new)).astype(int)


def test_function_is_compiled_where_no_folder_can_be_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    def njit(function: Any, *, cache: bool, **options: Any) -> Any:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return original(function, cache=False, **options)

    original = numba.njit
    monkeypatch.setattr(numba, "njit", njit)

    twice = compiled(lambda number: 2 * number)

    assert twice(21) == 42
