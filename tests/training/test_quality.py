"""What the quality benchmark makes of its measurements."""

import math

import pytest

pytest.importorskip("torch", reason="training needs torch: pip install stylecast[train]")

from benchmarks.iteration_quality import iteration_table, worth
from benchmarks.temporal_quality import temporal_table


def _row(network: float, **reached: float) -> dict[str, dict[str, float]]:
    named = {"network": network, **{name.removeprefix("after_"): value for name, value in reached.items()}}
    return {name: {"objective": value, "content": value / 2, "style": value / 20} for name, value in named.items()}


@pytest.mark.parametrize(
    ("network", "expected"),
    [(8.0, 0.0), (9.0, 0.0), (4.0, 5.0), (2.0, 10.0), (math.sqrt(2), 15.0), (1.0, 20.0), (0.9, math.inf)],
)
def test_worth_is_where_the_objectives_meet(network: float, expected: float) -> None:
    assert worth(_row(network, after_0=8.0, after_10=2.0, after_20=1.0)) == pytest.approx(expected)


def test_worth_is_the_first_time_that_lbfgs_is_as_low() -> None:
    assert worth(_row(3.0, after_0=8.0, after_10=2.0, after_20=5.0)) < 10


def test_the_table_shows_what_was_never_reached() -> None:
    report = {
        "style": "wave",
        "style_weight": 15.0,
        "size_px": 96,
        "optimizer": "ours",
        "photographs": 1,
        "losses": _row(0.5, after_0=8.0, after_10=2.0),
        "worth_iterations": {"median": None, "min": 7.0, "max": None},
    }

    row = iteration_table([report]).splitlines()[2]

    assert row == (
        "| wave | 15 | 0.500 (0.250, 0.0250) | over 10 (7 to over 10) | 8.000 (4.000, 0.4000) | 2.000 (1.000, 0.1000) |"
    )


def test_without_a_baseline_no_share_of_flicker_is_shown() -> None:
    rows = [{"style": "wave", "sequence": "drift", "frames": 3, "floor": 0.0001, "ours": 0.0004}]

    table = temporal_table(rows).splitlines()

    assert table[2] == "| wave | drift | 1.0 |  | 4.0 |  |  |"
    assert not any("Mean" in line for line in table)
