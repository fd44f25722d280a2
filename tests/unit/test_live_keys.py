"""Every documented key does what its line says, and only that."""

from collections import Counter
from dataclasses import fields, replace

import pytest

from realtime.live_keys import KEYS, Action, action_of, changed_controls, keys_table
from realtime.live_settings import LiveControls

START = LiveControls(strength=0.5, smoothing=0.5)


def press(*codes: int | str, controls: LiveControls = START, size_px: int | None = 324) -> LiveControls:
    for code in codes:
        number = ord(code) if isinstance(code, str) else code
        controls = changed_controls(controls, number, size_px=size_px)
    return controls


@pytest.mark.parametrize(
    ("codes", "changed"),
    [
        ((65362,), {"strength": 0.6}),
        ((65364,), {"strength": 0.4}),
        (("[",), {"smoothing": 0.4}),
        (("]",), {"smoothing": 0.6}),
        (("c",), {"keep_colors": True}),
        (("C", "c"), {}),
        (("b",), {"split": "wipe"}),
        (("b", "b"), {"split": "side"}),
        (("b", "b", "b"), {}),
        (("o",), {"paint": "people"}),
        (("O", "o"), {"paint": "background"}),
        (("o", "o", "o"), {}),
        (("m",), {"mirror": True}),
        (("-",), {"size": 240}),
        (("+",), {"size": 360}),
        (("+", "a"), {}),
        (("x",), {}),
    ],
)
def test_a_key_changes_its_control_and_nothing_else(codes: tuple[int | str, ...], changed: dict[str, object]) -> None:
    assert press(*codes) == replace(START, **changed)


def test_strength_stays_between_nothing_and_all_and_returns_to_round_numbers() -> None:
    assert press(*[65362] * 30).strength == 1
    assert press(*[65364] * 30).strength == 0
    assert press(65362, 65362, 65364, 65364) == START


def test_sizes_end_at_the_smallest_and_the_largest() -> None:
    assert press("-", size_px=180).size == 180
    assert press("+", size_px=1080).size == 1080
    assert press("-", size_px=144).size == 144  # the governor may be there
    assert press("+", size_px=4000).size == 4000
    assert press("+", size_px=None) == START


def test_every_action_has_a_key_and_no_code_has_two_meanings() -> None:
    assert {key.action for key in KEYS if key.action} == set(Action)
    assert max(Counter(code for key in KEYS for code in key.codes).values()) == 1
    assert action_of(ord("q")) is Action.QUIT
    assert action_of(ord("c")) is None


def test_every_control_can_be_reached_by_a_key() -> None:
    reached = {
        item.name
        for key in KEYS
        for code in key.codes
        for item in fields(LiveControls)
        if getattr(press(code), item.name) != getattr(START, item.name)
    }

    assert reached == {item.name for item in fields(LiveControls)}


def test_the_table_has_a_line_for_every_key() -> None:
    assert keys_table().count("\n") == len(KEYS) + 1
