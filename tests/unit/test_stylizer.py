"""The stylizer: any size in, the network sees what it can take, and the same size comes out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from realtime.errors import StyleError
from realtime.graph import SIZE_MIN_PX, SIZE_MULTIPLE
from realtime.settings import SHIFT_COUNTS
from realtime.style_code import StyleCode
from realtime.stylizer import GRID_SHIFTS, MARGIN_PX, Stylizer

from .fakes import FakeEngine

SIDES = st.integers(1, 70)
# Of the slim networks (`training/network.py`).
BLOCK_PX = 4


def _picture(width: int, height: int) -> NDArray[np.uint8]:
    return np.random.default_rng(width * 1000 + height).integers(0, 256, (height, width, 3), dtype=np.uint8)


@given(SIDES, SIDES)
def test_identity_network_gives_back_the_picture_at_any_size(width: int, height: int) -> None:
    picture = _picture(width, height)

    made = Stylizer(FakeEngine()).stylize(picture)

    assert np.array_equal(made.stylized, picture)
    assert np.array_equal(made.content, picture)
    assert made.stylized.flags.c_contiguous


@given(SIDES, SIDES)
def test_network_sees_only_sizes_that_it_can_take(width: int, height: int) -> None:
    engine = FakeEngine()

    Stylizer(engine).stylize(_picture(width, height))

    seen_height, seen_width, channels = engine.shapes[0]
    assert channels == 3
    for side, seen in ((width, seen_width), (height, seen_height)):
        assert seen % SIZE_MULTIPLE == 0
        assert seen >= SIZE_MIN_PX
        assert 2 * MARGIN_PX <= seen - side < 2 * MARGIN_PX + SIZE_MULTIPLE


def test_padding_repeats_the_edge() -> None:
    seen: list[NDArray[np.uint8]] = []
    picture = _picture(17, 23)

    def note(padded: NDArray[np.uint8]) -> NDArray[np.uint8]:
        seen.append(padded.copy())
        return padded

    Stylizer(FakeEngine(note)).stylize(picture)

    assert np.array_equal(seen[0], np.pad(picture, ((8, 9), (8, 15), (0, 0)), mode="edge"))


@pytest.mark.parametrize(
    ("size", "size_px", "inference_size"),
    [
        ((1280, 720), 360, (640, 360)),
        ((720, 1280), 360, (360, 640)),
        ((854, 480), 241, (429, 241)),
        ((2000, 70), 64, (1829, 64)),
    ],
)
def test_size_is_the_short_side_at_which_the_network_runs(
    size: tuple[int, int], size_px: int, inference_size: tuple[int, int]
) -> None:
    made = Stylizer(FakeEngine(), size_px=size_px).stylize(_picture(*size))

    assert made.content.shape == (*inference_size[::-1], 3)
    assert made.stylized.shape == made.content.shape
    assert np.array_equal(made.stylized, made.content)


@pytest.mark.parametrize("size_px", [None, 48, 49, 4000])
def test_picture_is_never_enlarged_for_the_network(size_px: int | None) -> None:
    picture = _picture(64, 48)

    made = Stylizer(FakeEngine(), size_px=size_px).stylize(picture)

    assert np.array_equal(made.stylized, picture)


def test_flat_picture_stays_flat_when_scaled() -> None:
    picture = np.full((90, 160, 3), (10, 100, 200), np.uint8)

    made = Stylizer(FakeEngine(), size_px=64).stylize(picture)

    assert np.array_equal(np.unique(made.stylized.reshape(-1, 3), axis=0), [[10, 100, 200]])


@given(SIDES, SIDES, st.sampled_from(SHIFT_COUNTS))
def test_shifted_pictures_are_laid_over_one_another(width: int, height: int, shifts: int) -> None:
    engine, picture = FakeEngine(), _picture(width, height)

    made = Stylizer(engine, shifts=shifts).stylize(picture)

    assert np.array_equal(made.stylized, picture)
    assert made.stylized.flags.c_contiguous
    assert len(engine.shapes) == shifts
    assert len(set(engine.shapes)) == 1  # engines compile for each size
    assert all(side % SIZE_MULTIPLE == 0 for side in engine.shapes[0][:2])


@pytest.mark.parametrize(("shifts", "levels"), [(1, {100, 140}), (2, {100, 120}), (4, {110})])
def test_what_depends_on_the_blocks_is_averaged_away(shifts: int, levels: set[int]) -> None:
    def by_place(padded: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Paint the left upper quarter of each block brighter."""
        bright = (np.indices(padded.shape[:2]) % BLOCK_PX < BLOCK_PX // 2).all(axis=0)
        return (padded + 40 * bright[..., np.newaxis]).astype(np.uint8)

    flat = np.full((40, 56, 3), 100, np.uint8)

    made = Stylizer(FakeEngine(by_place), shifts=shifts).stylize(flat)

    assert set(np.unique(made.stylized)) == levels


def test_the_mean_is_rounded_to_the_nearest_level() -> None:
    levels = iter((10, 11, 11, 11))
    engine = FakeEngine(lambda padded: np.full_like(padded, next(levels)))

    made = Stylizer(engine, shifts=4).stylize(_picture(20, 20))

    assert np.unique(made.stylized).tolist() == [11]


def test_every_offered_number_of_shifts_is_known() -> None:
    assert tuple(GRID_SHIFTS) == SHIFT_COUNTS
    assert all(len(shifts) == count for count, shifts in GRID_SHIFTS.items())


def _code(level: float) -> StyleCode:
    return StyleCode(np.full((1, 2, 3), level, np.float32))


def test_feed_forward_network_gets_the_picture_alone_and_leaves_the_strength_to_others() -> None:
    engine = FakeEngine()

    made = Stylizer(engine).stylize(_picture(16, 16), strength=0.5)

    assert engine.extras == [None]
    assert not made.has_strength


def test_change_of_strength_or_code_takes_effect_with_the_next_picture() -> None:
    engine = FakeEngine()
    stylizer = Stylizer(engine, code=_code(1))
    picture = _picture(16, 16)

    first = stylizer.stylize(picture, strength=0.25)
    stylizer.code = _code(2)
    stylizer.stylize(picture, strength=0.75)

    assert first.has_strength
    seen = [(extra["statistics"].max(), extra["strength"].tolist()) for extra in engine.extras if extra]
    assert seen == [(1, [0.25]), (2, [0.75])]
    assert all(value.dtype == np.float32 for extra in engine.extras if extra for value in extra.values())


def test_network_that_changes_the_size_is_no_style() -> None:
    with pytest.raises(StyleError, match="must keep the size"):
        Stylizer(FakeEngine(lambda padded: padded[::2, ::2])).stylize(_picture(64, 48))


def test_warming_up_shows_the_engine_the_size_of_the_frames_to_come() -> None:
    engine = FakeEngine()
    stylizer = Stylizer(engine, size_px=64)

    stylizer.warm_up(width=256, height=128)
    stylizer.stylize(_picture(256, 128))

    assert engine.shapes[0] == engine.shapes[1]
