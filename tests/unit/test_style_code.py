"""Style codes: a picture of any size becomes one of fixed length, and mixes lie between their parts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from realtime.engine import Engine
from realtime.engine_onnxruntime import OnnxRuntimeEngine
from realtime.errors import StyleError
from realtime.graph import ENCODER, SIZE_MULTIPLE
from realtime.style_code import (
    ENCODED_LONG_SIDE_MAX_PX,
    ENCODED_SHORT_SIDE_PX,
    StyleCode,
    encode_picture,
    mix_codes,
)
from tests.models import encoder_model

from .fakes import FakeEngine

Picture = NDArray[np.uint8]
# Grey levels by which scaling moves the mean of noise.
SCALING_LEVELS = 1.0


def _statistics(picture: Picture) -> NDArray[np.float32]:
    return np.stack((picture.mean(axis=(0, 1)), picture.std(axis=(0, 1)))).astype(np.float32)


@pytest.fixture(scope="module")
def encoder() -> Engine:
    return OnnxRuntimeEngine(encoder_model(), "cpu", ENCODER)


def _code(*values: float) -> StyleCode:
    return StyleCode(np.array([[values, values]], np.float32))


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 1000), st.integers(1, 1000))
def test_pictures_of_all_sizes_are_encoded_at_one_size(width: int, height: int) -> None:
    engine = FakeEngine(_statistics)

    encode_picture(engine, np.zeros((height, width, 3), np.uint8))

    seen_height, seen_width, _ = engine.shapes[0]
    assert min(seen_width, seen_height) == ENCODED_SHORT_SIDE_PX
    assert max(seen_width, seen_height) <= ENCODED_LONG_SIDE_MAX_PX
    assert seen_width % SIZE_MULTIPLE == seen_height % SIZE_MULTIPLE == 0
    if max(width, height) <= 4 * min(width, height):  # else it is cut to its middle
        assert seen_width / seen_height == pytest.approx(width / height, rel=0.02)
    assert (seen_width > seen_height) <= (width > height)


@pytest.mark.parametrize("shape", [(1, 1_000_000, 3), (1_000_000, 1, 3)])
def test_thinnest_line_is_cut_before_it_is_enlarged(shape: tuple[int, ...]) -> None:
    engine = FakeEngine(_statistics)

    encode_picture(engine, np.zeros(shape, np.uint8))

    assert np.prod(engine.shapes[0][:2]) == ENCODED_SHORT_SIDE_PX * ENCODED_LONG_SIDE_MAX_PX


def test_code_is_what_the_encoder_says_of_the_picture(encoder: Engine) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (40, 56, 3), dtype=np.uint8)

    code = encode_picture(encoder, picture)

    assert code.statistics.shape == (1, 2, 3)
    assert code.statistics.dtype == np.float32
    assert np.abs(code.statistics[0, 0] - picture.mean(axis=(0, 1))).max() < SCALING_LEVELS


def test_code_cannot_be_written_to(encoder: Engine) -> None:
    code = encode_picture(encoder, np.zeros((20, 20, 3), np.uint8))

    with pytest.raises(ValueError, match="read-only"):
        code.statistics[:] = 1


@pytest.mark.parametrize("made", [np.zeros((3, 5)), np.zeros(7), np.full((2, 5), np.nan), np.full((2, 5), np.inf)])
def test_encoder_that_gives_no_code_is_a_style_error(made: NDArray[np.float32]) -> None:
    with pytest.raises(StyleError, match="made no style of the picture"):
        encode_picture(FakeEngine(lambda _: made), np.zeros((20, 20, 3), np.uint8))


@given(st.lists(st.tuples(st.floats(-1e3, 1e3, width=32), st.floats(0, 1)), min_size=1, max_size=4))
def test_mix_lies_between_its_parts_in_their_proportion(parts: list[tuple[float, float]]) -> None:
    levels, weights = zip(*parts, strict=True)
    if sum(weights) < 1e-3:
        weights = (1.0,) * len(parts)

    mixed = mix_codes([_code(level) for level in levels], weights).statistics

    assert mixed.dtype == np.float32
    wanted = sum(level * weight for level, weight in zip(levels, weights, strict=True)) / sum(weights)
    assert mixed.ravel() == pytest.approx([wanted] * 2, rel=1e-4, abs=1e-3)


def test_one_style_is_itself() -> None:
    assert np.array_equal(mix_codes([_code(3, 5)], [0.1]).statistics, _code(3, 5).statistics)
