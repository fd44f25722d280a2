"""The chart of flicker over time: every point in its place, gaps left open, names safe inside XML."""

from math import nan
from xml.etree import ElementTree

from realtime.chart import BOTTOM_PX, HEIGHT_PX, LEFT_PX, RIGHT_PX, TOP_PX, WIDTH_PX, line_chart

SVG = "{http://www.w3.org/2000/svg}"
BOTTOM, RIGHT = HEIGHT_PX - BOTTOM_PX, WIDTH_PX - RIGHT_PX


def _points(svg: str) -> list[list[tuple[float, float]]]:
    """Return the points of each piece of line; the last, which is there twice for its dot, once."""
    lines = ElementTree.fromstring(svg).iter(f"{SVG}polyline")
    return [
        [tuple(map(float, pair.split(","))) for pair in line.attrib["points"].split(" ")[:-1]]  # type: ignore[misc]
        for line in lines
    ]


def test_points_stand_at_their_frame_and_value() -> None:
    svg = line_chart("t", {"a": [0.0, 5.0, 10.0]}, first=1, marks=[])

    middle = (LEFT_PX + RIGHT) / 2, (TOP_PX + BOTTOM) / 2
    assert _points(svg) == [[(LEFT_PX, BOTTOM), middle, (RIGHT, TOP_PX)]]


def test_a_missing_value_is_a_gap() -> None:
    svg = line_chart("t", {"a": [1.0, 2.0, nan, 3.0, nan, nan, 4.0]}, first=1, marks=[])

    assert [len(piece) for piece in _points(svg)] == [2, 1, 1]


def test_every_line_has_its_colour_and_name() -> None:
    svg = line_chart("t", {"a": [1.0, 2.0], "b": [2.0, 1.0]}, first=1, marks=[])

    root = ElementTree.fromstring(svg)
    assert len({line.attrib["stroke"] for line in root.iter(f"{SVG}polyline")}) == 2
    assert {"t", "a", "b", "frame"} <= {text.text for text in root.iter(f"{SVG}text")}


def test_cuts_are_dashed_lines_at_their_frames() -> None:
    svg = line_chart("t", {"a": [1.0] * 11}, first=0, marks=[0, 5])

    marks = [line for line in ElementTree.fromstring(svg).iter(f"{SVG}line") if "stroke-dasharray" in line.attrib]
    assert [float(mark.attrib["x1"]) for mark in marks] == [LEFT_PX, (LEFT_PX + RIGHT) / 2]


def test_axes_have_round_numbers_from_zero() -> None:
    svg = line_chart("t", {"a": [0.0, 0.0013]}, first=1, marks=[])

    shown = [
        text.text for text in ElementTree.fromstring(svg).iter(f"{SVG}text") if text.attrib["text-anchor"] == "end"
    ]
    assert shown == ["0", "0.0005", "0.001"]


def test_names_cannot_break_the_file() -> None:
    svg = line_chart("t", {"<a> & b.mp4": [1.0]}, first=1, marks=[])

    assert "<a> & b.mp4" in {text.text for text in ElementTree.fromstring(svg).iter(f"{SVG}text")}


def test_nothing_to_draw_is_an_empty_chart() -> None:
    for lines in ({}, {"a": []}, {"a": [nan, nan]}, {"a": [0.0, 0.0]}):
        ElementTree.fromstring(line_chart("t", lines, first=1, marks=[]))
