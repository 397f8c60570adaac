"""A series of runs as a small inline SVG: points with intervals, levels, edges of segments, changes; pure.

Colours come from the style sheet by class; nothing is told by colour alone: an edge is dashed, a change is a solid line
with its amount in figures, and the text below the drawing says the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

import numpy as np

from .trend import LevelChange, Series, level
from .units import duration, instruction_count

WIDTH, HEIGHT = 360, 130
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 16, 22


def drawing(series: Series, title: str) -> str:
    """The drawing of one series; runs are evenly spaced, as their dates rarely are."""
    body = "".join([*_bands(series), *_axis(series), *_levels(series), *_points(series), *_changes(series)])
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
        f'aria-label="{escape(title)}"><title>{escape(title)}</title>{body}</svg>'
    )


def _x(series: Series, index: float) -> float:
    return LEFT + (index + 0.5) * (WIDTH - LEFT - RIGHT) / max(1, len(series.points))


def _range(series: Series) -> tuple[float, float]:
    """The lowest and highest value to show: no interval so wide that the points are squeezed flat."""
    values = [point.value for point in series.points]
    low, high = min(values), max(values)
    span = max(high - low, 0.02 * high)
    ends = [end for p in series.points for end in (p.low, p.high) if end is not None and low - span < end < high + span]
    low, high = min([low, *ends]), max([high, *ends])
    pad = max(high - low, 0.02 * high) * 0.12
    return low - pad, high + pad


def _y(series: Series, value: float) -> float:
    low, high = _range(series)
    share = min(max((value - low) / (high - low), 0.0), 1.0)
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def _bands(series: Series) -> Iterator[str]:
    for number, segment in enumerate(series.segments):
        left, right = _x(series, segment.start - 0.5), _x(series, segment.end - 0.5)
        if number % 2:
            height = HEIGHT - TOP - BOTTOM
            yield f'<rect class="band" x="{left:.1f}" y="{TOP}" width="{right - left:.1f}" height="{height}"/>'
        if number:
            yield f'<path class="edge" d="M{left:.1f} {TOP - 4}V{HEIGHT - BOTTOM}"/>'


def _axis(series: Series) -> Iterator[str]:
    low, high = _range(series)
    show = instruction_count if series.emulated else duration
    for value in (low + (high - low) * 0.1, high - (high - low) * 0.1):
        text = escape(show(value, low, high).text)
        y = _y(series, value)
        yield f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'
        yield f'<text x="{LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'
    ends = [(0, "start"), (len(series.points) - 1, "end")] if len(series.points) > 1 else [(0, "start")]
    for index, anchor in ends:
        day = escape(series.points[index].started_at[:10])
        x = LEFT if anchor == "start" else WIDTH - RIGHT
        yield f'<text x="{x}" y="{HEIGHT - 6}" text-anchor="{anchor}">{day}</text>'


def _levels(series: Series) -> Iterator[str]:
    index = 0
    while index < len(series.points):
        start, end = level(series, index)
        y = _y(series, float(np.median([point.value for point in series.points[start:end]])))
        yield f'<path class="level" d="M{_x(series, start - 0.4):.1f} {y:.1f}H{_x(series, end - 0.6):.1f}"/>'
        index = end


def _points(series: Series) -> Iterator[str]:
    for index, point in enumerate(series.points):
        x, y = _x(series, index), _y(series, point.value)
        if point.low is not None and point.high is not None:
            ends = f"{_y(series, point.low):.1f}V{_y(series, point.high):.1f}"
            yield f'<path class="whisker" d="M{x:.1f} {ends}"/>'
        yield f'<circle class="point" cx="{x:.1f}" cy="{y:.1f}" r="2.6"><title>{escape(point.run_id)}</title></circle>'


def _changes(series: Series) -> Iterator[str]:
    for change in series.changes:
        x = _x(series, change.index - 0.5)
        tone = "shift good" if change.ratio < 1 else "shift"
        yield f'<path class="{tone}" d="M{x:.1f} {TOP - 4}V{HEIGHT - BOTTOM}"/>'
        anchor = "end" if x > WIDTH - 60 else "start"
        yield (
            f'<text x="{x + (3 if anchor == "start" else -3):.1f}" y="{TOP - 5}" '
            f'text-anchor="{anchor}">{amount(change)}</text>'
        )


def amount(change: LevelChange) -> str:
    """The change of level in percent, with its sign."""
    percent = 100 * (change.ratio - 1)
    return f"{'+' if percent > 0 else '−'}{abs(percent):.{2 if abs(percent) < 1 else 1}f}\u202f%"
