"""The governor against a simulated machine: it must settle, hold, and never swing."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.governor import BARRED_S, STEPS_PX, Governor

FPS = 30.0
SETTLED_S = 5.0


def run(
    governor: Governor,
    cost_s: Callable[[int, float], float],
    *,
    seconds: float,
    arriving_fps: float = FPS,
    side_px: int = 720,
    begin_s: float = 0.0,
) -> list[tuple[float, int]]:
    """Show frames as a machine would that needs `cost_s(size, now)` for each; return each change of the size."""
    now_s, dropped, changes = begin_s, 0, []
    while now_s < begin_s + seconds:
        size_px = min(governor.size_px, side_px)
        busy_s = cost_s(size_px, now_s)
        period_s = max(busy_s, 1 / arriving_fps)
        dropped += round(period_s * arriving_fps) - 1
        now_s += period_s
        chosen = governor.see(busy_s, now_s=now_s, arriving_fps=arriving_fps, dropped=dropped, short_side_px=side_px)
        if chosen != size_px:
            changes.append((now_s, chosen))
    return changes


def by_area(seconds_at_720: float) -> Callable[[int, float], float]:
    return lambda size_px, _: seconds_at_720 * (size_px / 720) ** 2


@pytest.mark.parametrize("seconds_at_720", [0.002, 0.015, 0.03, 0.05, 0.09, 0.2, 0.4])
def test_it_settles_within_five_seconds_and_then_holds_for_minutes(seconds_at_720: float) -> None:
    governor = Governor(wanted_fps=FPS)

    changes = run(governor, by_area(seconds_at_720), seconds=300)

    assert all(at_s <= SETTLED_S for at_s, _ in changes)
    load = by_area(seconds_at_720)(governor.size_px, 0) * FPS
    assert load <= 1
    assert load > 0.25 or governor.size_px == 720  # nor lower than it must be


@given(
    st.floats(0.001, 0.5),
    st.floats(0, 0.02),
    st.sampled_from([15.0, 24.0, 30.0, 60.0]),
    st.sampled_from([120, 360, 480, 720, 1080]),
)
def test_whatever_the_machine_the_size_changes_rarely(
    seconds_at_720: float, fixed_s: float, arriving_fps: float, side_px: int
) -> None:
    governor = Governor(wanted_fps=FPS)

    changes = run(
        governor,
        lambda size_px, _: fixed_s + seconds_at_720 * (size_px / 720) ** 2,
        seconds=120,
        arriving_fps=arriving_fps,
        side_px=side_px,
    )

    assert len([1 for at_s, _ in changes if at_s > 15]) <= 4
    assert governor.size_px <= side_px


def test_a_machine_that_is_worse_than_expected_at_the_larger_size_is_tried_ever_more_rarely() -> None:
    # Half a size up costs three times as much: a cache that overflows, a graph that falls back.
    governor = Governor(wanted_fps=FPS, start_px=324)

    changes = run(governor, lambda size_px, _: 0.010 if size_px <= 324 else 0.050, seconds=600)

    raises = [at_s for at_s, size_px in changes if size_px > 324]
    assert len(raises) <= 6
    assert all(later - earlier >= BARRED_S for earlier, later in pairwise(raises))


def test_load_that_comes_and_goes_lowers_the_size_and_raises_it_again() -> None:
    governor = Governor(wanted_fps=FPS)
    run(governor, by_area(0.015), seconds=20)
    assert governor.size_px == 720

    run(governor, by_area(0.1), seconds=10, begin_s=20)
    lowered_px = governor.size_px
    run(governor, by_area(0.015), seconds=120, begin_s=30)

    assert lowered_px < 396
    assert governor.size_px == 720


def test_a_camera_that_slows_down_in_the_dark_costs_no_resolution() -> None:
    governor = Governor(wanted_fps=FPS)
    run(governor, by_area(0.02), seconds=20)
    before_px = governor.size_px

    changes = run(governor, by_area(0.02), seconds=20, begin_s=20, arriving_fps=12)

    assert not [size_px for _, size_px in changes if size_px < before_px]


def test_frames_that_are_lost_although_no_stage_is_to_blame_lower_the_size() -> None:
    governor = Governor(wanted_fps=FPS)

    for number in range(120):
        governor.see(0.005, now_s=number / 20, arriving_fps=FPS, dropped=number // 2, short_side_px=720)

    assert governor.size_px < 486


def test_a_moment_of_another_programs_work_costs_no_resolution() -> None:
    governor = Governor(wanted_fps=FPS)
    run(governor, by_area(0.02), seconds=20)

    for stall_s in (20.0, 25.0, 31.0):
        # Frames are lost, but most of the window is as ever.
        def cost_s(_: int, now_s: float, *, began_s: float = stall_s) -> float:
            return 0.2 if began_s <= now_s < began_s + 0.4 else 0.02

        changes = run(governor, cost_s, seconds=4, begin_s=stall_s)
        assert not changes


def test_heavy_overload_is_answered_at_once_and_once() -> None:
    """Not all of the work shrinks with the size: decoding, enlarging, what is shown."""
    governor = Governor(wanted_fps=FPS)

    changes = run(
        governor,
        lambda size_px, _: 0.008 + 0.037 * (size_px / 486) ** 2,
        seconds=60,
        arriving_fps=60,
        side_px=1080,
    )

    assert len(changes) == 1
    assert changes[0][0] < 2
    assert changes[0][1] < 486


def test_room_that_comes_and_goes_is_not_taken() -> None:
    governor = Governor(wanted_fps=FPS, start_px=270)

    changes = run(governor, lambda _, now_s: 0.012 if now_s % 6 < 4 else 0.024, seconds=120, begin_s=1.0)

    assert len(changes) <= 1  # within the first seconds, when what a machine can do is still unknown


def test_the_steps_cover_what_the_option_allows() -> None:
    assert list(STEPS_PX) == sorted(STEPS_PX)
    assert all(1.2 <= (larger / smaller) ** 2 <= 1.7 for smaller, larger in pairwise(STEPS_PX))
