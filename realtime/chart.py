"""Draw lines over frame numbers as an SVG: E_warp over time, cuts marked. Text in, text out; no drawing library."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from math import floor, isnan, log10
from xml.sax.saxutils import escape

WIDTH_PX, HEIGHT_PX = 960, 360
LEFT_PX, RIGHT_PX, TOP_PX, BOTTOM_PX = 80, 20, 50, 45
TICKS_WANTED = 5
# Colours that people with impaired colour vision tell apart (Okabe and Ito 2008).
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
_PLOT_WIDTH, _PLOT_HEIGHT = WIDTH_PX - LEFT_PX - RIGHT_PX, HEIGHT_PX - TOP_PX - BOTTOM_PX


def line_chart(title: str, lines: Mapping[str, Sequence[float]], *, first: int, marks: Sequence[int]) -> str:
    """Return an SVG of `lines`, whose values belong to frames `first`, `first` + 1, ...; NaN is a gap in a line.

    A dashed line stands at each frame of `marks`.
    """
    known = [value for values in lines.values() for value in values if not isnan(value)]
    top = max(known, default=0) or 1.0
    last = max((first + len(values) - 1 for values in lines.values()), default=first)

    def x(frame: float) -> float:
        return LEFT_PX + _PLOT_WIDTH * (frame - first) / max(1, last - first)

    def y(value: float) -> float:
        return TOP_PX + _PLOT_HEIGHT * (1 - value / top)

    bottom, right = TOP_PX + _PLOT_HEIGHT, WIDTH_PX - RIGHT_PX
    parts = [_text(LEFT_PX, 20, title, anchor="start", weight="bold")]
    for value in _ticks(0, top):
        parts.append(_line(LEFT_PX, y(value), right, y(value), "#ddd"))
        parts.append(_text(LEFT_PX - 8, y(value) + 4, f"{value:g}", anchor="end"))
    for frame in _ticks(first, last):
        parts.append(_text(x(frame), bottom + 18, f"{frame:g}"))
    parts.append(_text(LEFT_PX + _PLOT_WIDTH / 2, HEIGHT_PX - 8, "frame"))
    parts += [_line(x(frame), TOP_PX, x(frame), bottom, "#999", dashed=True) for frame in marks]
    for number, (name, values) in enumerate(lines.items()):
        color = COLORS[number % len(COLORS)]
        for piece in _pieces(values):
            points = " ".join(f"{x(first + index):.1f},{y(values[index]):.1f}" for index in piece)
            # A round cap makes a dot of a piece of one point.
            parts.append(
                f'<polyline points="{points} {points.rsplit(" ")[-1]}" fill="none" stroke="{color}" '
                'stroke-width="1.5" stroke-linecap="round"/>'
            )
        legend_x = LEFT_PX + number * _PLOT_WIDTH / len(lines)
        parts.append(_line(legend_x, 38, legend_x + 18, 38, color))
        parts.append(_text(legend_x + 24, 42, name, anchor="start"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH_PX}" height="{HEIGHT_PX}" '
        f'viewBox="0 0 {WIDTH_PX} {HEIGHT_PX}" font-family="sans-serif" font-size="12">\n'
        f'<rect width="{WIDTH_PX}" height="{HEIGHT_PX}" fill="#fff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _ticks(low: float, high: float) -> list[float]:
    """Return round numbers from `low` to `high`, 1, 2 or 5 times a power of ten apart."""
    if high <= low:
        return [low]
    rough = (high - low) / TICKS_WANTED
    power = 10.0 ** floor(log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    begin = -int(-low // step)
    return [number * step for number in range(begin, int(high / step + 1e-9) + 1)]


def _pieces(values: Sequence[float]) -> list[list[int]]:
    """Return the runs of indices between gaps."""
    runs = groupby(range(len(values)), key=lambda index: isnan(values[index]))
    return [list(indices) for is_gap, indices in runs if not is_gap]


def _line(x1: float, y1: float, x2: float, y2: float, color: str, *, dashed: bool = False) -> str:
    dash = ' stroke-dasharray="4 4"' if dashed else ""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{color}"{dash}/>'


def _text(x: float, y: float, text: str, *, anchor: str = "middle", weight: str = "normal") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}">{escape(text)}</text>'
