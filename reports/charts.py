"""The trade-off of accuracy and work as inline SVG, drawn here so that a report needs no script; pure.

Colours and fonts come from the page's style sheet by class, so one drawing serves light, dark and print. Nothing is
told by colour alone: the shape of a mark says the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from .pareto import Point, Standing

Box = tuple[float, float, float, float]
Place = tuple[float, float, str]
CHAR_PX = 6.6  # width of an average character at 12 px
MANY = 14  # above, only candidates on the front carry a label and take the keyboard's focus


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One candidate to draw: where, its name, its standing, and whether it is the baseline or the choice."""

    point: Point
    label: str
    standing: Standing
    baseline: bool = False
    chosen: bool = False
    tooltip: str = ""

    @property
    def kind(self) -> str:
        """The class that colours it."""
        return "chosen" if self.chosen else "base" if self.baseline else self.standing.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """Maps values to pixels, with ticks at round values."""

    low: float
    high: float
    start_px: float
    end_px: float
    ticks: tuple[float, ...]

    def at(self, value: float) -> float:
        """The pixel of a value."""
        return self.start_px + (value - self.low) / (self.high - self.low) * (self.end_px - self.start_px)


def trade_off(
    marks: Sequence[Mark],
    *,
    width: int,
    height: int,
    title: str,
    x_label: str,
    show_x: Callable[[float], str],
    work_limit: float | None = None,
    accuracy_limit: float | None = None,
) -> str:
    """Accuracy (up is better) over work (left is better) with intervals; dashed lines are the budget's limits.

    Work starts at zero, so distances along it are true ratios. Of many marks those far from the front are not reached
    by the keyboard. Empty text without marks.
    """
    if not marks:
        return ""
    x = _work_axis(marks, work_limit, 58, width - 14)
    y = _accuracy_axis(marks, accuracy_limit, height - 44, 14)
    body = [
        *_grid(x, y, show_x, width, height, x_label),
        *_limits(x, y, work_limit, accuracy_limit),
        *_front(marks, x, y),
        f'<path class="whisker" d="{"".join(_whiskers(mark, x, y) for mark in marks)}"/>',
        *_marks(marks, x, y),
        *_labels(marks, x, y, (x.start_px, y.end_px, x.end_px, y.start_px)),
    ]
    return (
        f'<svg class="chart" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="group" '
        f'aria-label="{escape(title)}">{"".join(body)}</svg>'
    )


def round_ticks(low: float, high: float, wanted: int = 5) -> tuple[float, ...]:
    """Round values (1, 2, 2.5, 5 times a power of ten) from at or below `low` to at or above `high`."""
    span = high - low if high > low else abs(high) or 1.0
    rough = span / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return tuple(round(index * step, 12) for index in range(first, max(last, first + 1) + 1))


def _work_axis(marks: Sequence[Mark], limit: float | None, start: float, end: float) -> Axis:
    highest = max(mark.point.work_high or mark.point.work for mark in marks)
    shown_limit = limit if limit is not None and limit < 2 * highest else None
    ticks = round_ticks(0.0, max(highest, shown_limit or 0.0) * 1.02, 4 if end < 400 else 6)
    return Axis(low=0.0, high=ticks[-1], start_px=start, end_px=end, ticks=ticks)


def _accuracy_axis(marks: Sequence[Mark], limit: float | None, start: float, end: float) -> Axis:
    values = [
        v for m in marks for v in (m.point.accuracy, m.point.accuracy_low, m.point.accuracy_high) if v is not None
    ]
    low, high = min(values if limit is None else [*values, limit]), max(values)
    pad = max((high - low) * 0.04, 0.001)
    ticks = round_ticks((low - pad) * 100, min(100.0, (high + pad) * 100), 5)
    ticks = tuple(tick for tick in ticks if tick <= 100.0001)
    top = max(ticks[-1], min(100.0, (high + pad) * 100)) / 100
    return Axis(low=ticks[0] / 100, high=top, start_px=start, end_px=end, ticks=tuple(tick / 100 for tick in ticks))


def _grid(x: Axis, y: Axis, show_x: Callable[[float], str], width: int, height: int, x_label: str) -> Iterable[str]:
    decimals = 0 if all(abs(tick * 100 - round(tick * 100)) < 1e-6 for tick in y.ticks) else 1
    decimals = decimals if all(abs(tick * 1000 - round(tick * 1000)) < 1e-6 for tick in y.ticks) else 2
    lines = [f"M{x.start_px:.0f} {y.at(tick):.1f}H{x.end_px:.0f}" for tick in y.ticks]
    lines += [f"M{x.at(tick):.1f} {y.start_px:.0f}V{y.end_px:.0f}" for tick in x.ticks]
    yield f'<path class="grid" d="{"".join(lines)}"/>'
    for tick in y.ticks:
        yield _text(x.start_px - 8, y.at(tick) + 4, f"{tick * 100:.{decimals}f} %", anchor="end")
    for tick in x.ticks:
        at = x.at(tick)
        anchor = "end" if at > width - 30 else "middle"
        yield _text(min(at, width - 2.0) if anchor == "end" else at, y.start_px + 17, show_x(tick), anchor=anchor)
    yield _text((x.start_px + x.end_px) / 2, height - 6, x_label, anchor="middle")


def _limits(x: Axis, y: Axis, work: float | None, accuracy: float | None) -> Iterable[str]:
    if work is not None and x.low <= work <= x.high:
        yield f'<path class="limit" d="M{x.at(work):.1f} {y.start_px:.1f}V{y.end_px:.1f}"/>'
    if accuracy is not None and y.low <= accuracy <= y.high:
        yield f'<path class="limit" d="M{x.start_px:.1f} {y.at(accuracy):.1f}H{x.end_px:.1f}"/>'


def _front(marks: Sequence[Mark], x: Axis, y: Axis) -> Iterable[str]:
    front = sorted((m.point.work, m.point.accuracy) for m in marks if m.standing is Standing.FRONT)
    if len(front) > 1:
        steps = f"M{x.at(front[0][0]):.1f} {y.at(front[0][1]):.1f}" + "".join(
            f"H{x.at(work):.1f}V{y.at(accuracy):.1f}" for work, accuracy in front[1:]
        )
        yield f'<path class="front-line" d="{steps}"/>'


def _whiskers(mark: Mark, x: Axis, y: Axis) -> str:
    point, paths = mark.point, ""
    px, py = x.at(point.work), y.at(point.accuracy)
    if point.work_low is not None and point.work_high is not None:
        paths += f"M{x.at(point.work_low):.1f} {py:.1f}H{x.at(point.work_high):.1f}"
    if point.accuracy_low is not None and point.accuracy_high is not None:
        low, high = (min(max(bound, y.low), y.high) for bound in (point.accuracy_low, point.accuracy_high))
        paths += f"M{px:.1f} {y.at(low):.1f}V{y.at(high):.1f}"
    return paths


def _marks(marks: Sequence[Mark], x: Axis, y: Axis) -> Iterable[str]:
    """The marks in their order; of many, those that nobody would ship come first, beneath the others."""
    far = [m for m in marks if len(marks) > MANY and m.kind == Standing.DOMINATED.value]
    for mark in far:
        yield (
            f'<circle class="mark" cx="{x.at(mark.point.work):.1f}" cy="{y.at(mark.point.accuracy):.1f}" '
            f'r="5"><title>{escape(mark.tooltip or mark.label)}</title></circle>'
        )
    yield from (_mark(mark, x, y) for mark in marks if mark not in far)


def _mark(mark: Mark, x: Axis, y: Axis) -> str:
    px, py = x.at(mark.point.work), y.at(mark.point.accuracy)
    if mark.baseline and not mark.chosen:
        shape = f'<rect x="{px - 5:.1f}" y="{py - 5:.1f}" width="10" height="10"/>'
    elif mark.chosen:
        shape = f'<circle cx="{px:.1f}" cy="{py:.1f}" r="9" class="ring"/><circle cx="{px:.1f}" cy="{py:.1f}" r="5"/>'
    elif mark.standing is Standing.TIED:
        shape = f'<path d="M{px:.1f} {py - 6:.1f}L{px + 6:.1f} {py:.1f}L{px:.1f} {py + 6:.1f}L{px - 6:.1f} {py:.1f}Z"/>'
    else:
        shape = f'<circle cx="{px:.1f}" cy="{py:.1f}" r="5"/>'
    tooltip = f"<title>{escape(mark.tooltip or mark.label)}</title>"
    return f'<g class="mark {mark.kind}" tabindex="0" role="img">{tooltip}{shape}</g>'


def _labels(marks: Sequence[Mark], x: Axis, y: Axis, frame: Box) -> Iterable[str]:
    taken = [_around(x.at(mark.point.work), y.at(mark.point.accuracy), 8) for mark in marks]
    lines = [box for mark in marks for box in _whisker_boxes(mark, x, y)] + _front_boxes(marks, x, y)
    order = sorted(marks, key=lambda mark: (not mark.chosen, not mark.baseline, mark.standing is Standing.DOMINATED))
    for mark in order:
        if len(marks) > MANY and mark.standing is Standing.DOMINATED and not (mark.chosen or mark.baseline):
            continue
        label = mark.label if len(mark.label) <= 26 else mark.label[:25] + "…"
        px, py = x.at(mark.point.work), y.at(mark.point.accuracy)
        # A place that crosses neither mark, label nor line; else one that crosses only lines; else no label.
        for obstacles in ([*taken, *lines], taken):
            place = _free_place(px, py, label, frame, obstacles)
            if place is not None:
                dx, dy, anchor = place
                taken.append(_text_box(px + dx, py + dy, label, anchor))
                yield _text(px + dx, py + dy, label, anchor=anchor, kind=f"label {mark.kind}")
                break


def _free_place(px: float, py: float, label: str, frame: Box, obstacles: Sequence[Box]) -> Place | None:
    near = [box for box in obstacles if box[1] < py + 60 and box[3] > py - 60]  # of many marks few can be in the way
    for dx, dy, anchor in PLACES:
        box = _text_box(px + dx, py + dy, label, anchor)
        if _inside(box, frame) and not _crosses_any(box, near):
            return dx, dy, anchor
    return None


def _crosses_any(box: Box, others: Sequence[Box]) -> bool:
    """Asked some hundred times a mark of a crowded drawing, so it is written out."""
    left, top, right, bottom = box
    return any(left < c and a < right and top < d and b < bottom for a, b, c, d in others)


def _whisker_boxes(mark: Mark, x: Axis, y: Axis) -> list[Box]:
    point, px, py = mark.point, x.at(mark.point.work), y.at(mark.point.accuracy)
    boxes: list[Box] = []
    if point.accuracy_low is not None and point.accuracy_high is not None:
        boxes.append((px - 1, y.at(point.accuracy_high), px + 1, y.at(point.accuracy_low)))
    if point.work_low is not None and point.work_high is not None:
        boxes.append((x.at(point.work_low), py - 1, x.at(point.work_high), py + 1))
    return boxes


def _front_boxes(marks: Sequence[Mark], x: Axis, y: Axis) -> list[Box]:
    front = sorted((m.point.work, m.point.accuracy) for m in marks if m.standing is Standing.FRONT)
    boxes: list[Box] = []
    for (work, accuracy), (next_work, next_accuracy) in pairwise(front):
        boxes.append((x.at(work), y.at(accuracy) - 1, x.at(next_work), y.at(accuracy) + 1))
        boxes.append((x.at(next_work) - 1, y.at(next_accuracy), x.at(next_work) + 1, y.at(accuracy)))
    return boxes


PLACES = (
    (13.0, 4.0, "start"), (-13.0, 4.0, "end"), (0.0, -13.0, "middle"), (0.0, 22.0, "middle"), (10.0, -11.0, "start"),
    (-10.0, -11.0, "end"), (10.0, 20.0, "start"), (-10.0, 20.0, "end"), (10.0, -26.0, "start"), (-10.0, -26.0, "end"),
    (10.0, 35.0, "start"), (-10.0, 35.0, "end"), (10.0, 50.0, "start"), (-10.0, 50.0, "end"), (10.0, -41.0, "start"),
)  # fmt: skip


def _around(px: float, py: float, half: float) -> Box:
    return (px - half, py - half, px + half, py + half)


def _text_box(px: float, py: float, text: str, anchor: str) -> Box:
    size = len(text) * CHAR_PX
    left = px - {"start": 0.0, "middle": size / 2, "end": size}[anchor]
    return (left, py - 11, left + size, py + 3)


def _inside(box: Box, frame: Box) -> bool:
    return box[0] >= frame[0] + 2 and box[2] <= frame[2] + 10 and box[1] >= frame[1] - 6 and box[3] <= frame[3]


def _text(px: float, py: float, text: str, *, anchor: str, kind: str = "") -> str:
    shown = f' class="{kind}"' if kind else ""
    return f'<text{shown} x="{px:.1f}" y="{py:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
