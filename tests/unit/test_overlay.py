"""What is drawn on pictures fits them at any size, and the pictures given are never changed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.overlay import letterbox, with_lines

SIZES = st.tuples(st.integers(1, 200), st.integers(1, 200))


@given(SIZES, SIZES)
def test_a_letterboxed_picture_has_exactly_the_size_asked_for(size: tuple[int, int], target: tuple[int, int]) -> None:
    picture = np.full((size[1], size[0], 3), 255, np.uint8)

    boxed = letterbox(picture, target)

    assert boxed.shape == (target[1], target[0], 3)
    assert boxed.any()


@pytest.mark.parametrize(("size", "bars"), [((640, 480), "sides"), ((640, 200), "above and below")])
def test_the_bars_are_black_and_the_proportions_kept(size: tuple[int, int], bars: str) -> None:
    boxed = letterbox(np.full((size[1], size[0], 3), 255, np.uint8), (1280, 720))

    rows, columns = boxed.any(axis=(1, 2)).sum(), boxed.any(axis=(0, 2)).sum()
    assert columns / rows == pytest.approx(size[0] / size[1], rel=0.01)
    assert (rows == 720) == (bars == "sides")


@given(SIZES, st.lists(st.text(max_size=80), min_size=1, max_size=6))
def test_lines_of_any_text_fit_a_picture_of_any_size(size: tuple[int, int], lines: list[str]) -> None:
    picture = np.full((size[1], size[0], 3), 128, np.uint8)
    picture.flags.writeable = False

    assert with_lines(picture, lines).shape == picture.shape
    assert with_lines(picture, lines, at_bottom=True).shape == picture.shape
