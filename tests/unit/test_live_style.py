"""A change of style is a fade of bounded length, whatever the two styles are."""

import numpy as np
import pytest

from realtime.live_style import FADE_S, LiveStyle, StyleView
from realtime.style_code import StyleCode
from tests.unit.fakes import FakeEngine, Picture

GREY = np.full((48, 64, 3), 100, np.uint8)


def flat(level: int) -> LiveStyle:
    """Return a feed-forward style that makes everything one grey."""
    return LiveStyle(str(level), FakeEngine(lambda rgb: np.full_like(rgb, level)))


def level(view: StyleView, now_s: float, *, strength: float = 1.0) -> int:
    return int(view.stylize(GREY, strength=strength, now_s=now_s).stylized[0, 0, 0])


def test_a_change_passes_from_one_style_to_the_other_in_less_than_half_a_second() -> None:
    view = StyleView(flat(0), None).changed_to(flat(200), now_s=10)

    levels = [level(view, 10 + share * FADE_S) for share in (0, 0.25, 0.5, 0.75, 1)]

    assert FADE_S < 0.5
    assert levels == pytest.approx([0, 50, 100, 150, 200], abs=1)


def test_before_and_after_the_fade_one_network_runs() -> None:
    old, new = flat(0), flat(200)
    view = StyleView(old, None).changed_to(new, now_s=10)

    view.stylize(GREY, strength=1, now_s=10 + FADE_S)

    assert isinstance(old.engine, FakeEngine)
    assert isinstance(new.engine, FakeEngine)
    assert (len(old.engine.shapes), len(new.engine.shapes)) == (0, 1)


def test_strength_counts_once_in_a_fade_between_a_style_that_applies_it_and_one_that_does_not() -> None:
    def half(rgb: Picture) -> Picture:
        return np.full_like(rgb, 150)  # what the network makes at strength 0.5

    any_style = LiveStyle("any", FakeEngine(half), StyleCode(np.zeros((1, 2, 3), np.float32)))
    view = StyleView(flat(200), None).changed_to(any_style, now_s=0)

    made = view.stylize(GREY, strength=0.5, now_s=FADE_S / 2)

    assert made.has_strength
    assert int(made.stylized[0, 0, 0]) == pytest.approx(150, abs=1)


def test_a_fade_within_one_model_mixes_the_codes_and_runs_once() -> None:
    engine = FakeEngine()
    first, second = (LiveStyle("x", engine, StyleCode(np.full((1, 2, 3), value, np.float32))) for value in (0, 4))

    StyleView(first, None).changed_to(second, now_s=0).stylize(GREY, strength=1, now_s=FADE_S / 4)

    (extra,) = engine.extras
    assert extra is not None
    assert next(iter(extra.values())) == pytest.approx(1)


def test_the_network_runs_at_the_size_of_the_view_and_as_often_as_it_says() -> None:
    style = flat(9)

    made = StyleView(style, 24, shifts=2).stylize(GREY, strength=1, now_s=0)

    assert made.stylized.shape == (24, 32, 3)
    assert isinstance(style.engine, FakeEngine)
    assert len(style.engine.shapes) == 2
