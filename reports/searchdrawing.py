"""The history of a search on a board as small inline SVGs: its front at three moments, its hypervolume; pure.

Colours come from the style sheet by class. Nothing is told by colour alone: shapes say the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from .charts import CHAR_PX, Axis, round_ticks

WIDTH, HEIGHT = 360, 264
LEFT, RIGHT, TOP, BOTTOM = 54, 14, 14, 42
MOST_LABELS = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """One candidate to draw. `kind`: chosen, finalist, front, behind, out (breaks a limit) or base."""

    label: str
    kind: str
    cost: float
    cost_low: float | None
    cost_high: float | None
    accuracy: float
    accuracy_low: float | None
    accuracy_high: float | None
    on_front: bool
    tooltip: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The axes that all panels of a board share, so that they can be compared by eye."""

    x: Axis
    y: Axis
    show_x: Callable[[float], str]
    x_label: str


def frame(dots: Sequence[Dot], *, show_x: Callable[[float], str], x_label: str) -> Frame:
    """Axes that hold all dots with their intervals. Cost begins at zero, so that distances are true ratios."""
    ends = [end for dot in dots for end in (dot.cost, dot.cost_high) if end is not None]
    ticks = round_ticks(0.0, max(ends) * 1.02, 5)
    x = Axis(low=0.0, high=ticks[-1], start_px=LEFT, end_px=WIDTH - RIGHT, ticks=ticks)
    values = [v for dot in dots for v in (dot.accuracy, *_accuracy_whisker(dot))]
    low, high = max(0.0, min(values)), min(1.0, max(values))
    pad = max((high - low) * 0.04, 0.001)
    marks = [tick for tick in round_ticks((low - pad) * 100, min(100.0, (high + pad) * 100), 4) if tick <= 100.0001]
    bottom, top = min(marks[0], (low - pad) * 100), max(marks[-1], min(100.0, (high + pad) * 100))
    y = Axis(
        low=bottom / 100,
        high=top / 100,
        start_px=HEIGHT - BOTTOM,
        end_px=TOP,
        ticks=tuple(tick / 100 for tick in marks),
    )
    return Frame(x=x, y=y, show_x=show_x, x_label=x_label)


def front_panel(dots: Sequence[Dot], axes: Frame, *, title: str, reached: bool) -> str:
    """The candidates of one moment. With `reached` those that may be taken can be reached by the keyboard."""
    body = [*_grid(axes), *_front_line(dots, axes), _whiskers(dots, axes)]
    order = sorted(dots, key=lambda dot: ("out", "behind", "base", "front", "finalist", "chosen").index(dot.kind))
    body += [_mark(dot, axes, reached=reached and dot.kind not in ("out", "behind")) for dot in order]
    body += _labels(dots, axes)
    return _svg(body, title, role="group" if reached else "img")


def hypervolume_panel(points: Sequence[tuple[float, float]], *, x_label: str, title: str) -> str:
    """(board time as `x_label` says, hypervolume) at the end of each round, as steps; both axes are linear."""
    time_ticks = round_ticks(0.0, max(points)[0] or 1.0, 4)
    x = Axis(low=0.0, high=time_ticks[-1], start_px=LEFT, end_px=WIDTH - RIGHT, ticks=time_ticks)
    ticks = round_ticks(0.0, max(value for _, value in points) or 1.0, 4)
    y = Axis(low=0.0, high=ticks[-1], start_px=HEIGHT - BOTTOM, end_px=TOP, ticks=ticks)
    line = f"M{x.at(0):.1f} {y.at(0):.1f}" + "".join(f"H{x.at(s):.1f}V{y.at(value):.1f}" for s, value in points)
    body = [
        *_lines(x, y),
        *(_text(LEFT - 6, y.at(tick) + 4, f"{tick:.6g}", "end") for tick in ticks),
        *_x_axis(x, lambda value: f"{value:.6g}", x_label),
        f'<path class="curve" d="{line}"/>',
        *(f'<circle class="round" cx="{x.at(s):.1f}" cy="{y.at(value):.1f}" r="3"/>' for s, value in points),
    ]
    return _svg(body, title, role="img")


def shape(kind: str, px: float, py: float) -> str:
    """The shape of a kind of candidate around a place."""
    match kind:
        case "chosen":
            return f'<circle class="ring" cx="{px:.1f}" cy="{py:.1f}" r="8"/>' + _triangle(px, py, 5)
        case "finalist":
            return _triangle(px, py, 6)
        case "base":
            return f'<rect x="{px - 4.5:.1f}" y="{py - 4.5:.1f}" width="9" height="9"/>'
        case "out":
            return f'<path d="M{px - 3.5:.1f} {py - 3.5:.1f}l7 7m0 -7l-7 7"/>'
        case _:
            return f'<circle cx="{px:.1f}" cy="{py:.1f}" r="4"/>'


def _triangle(px: float, py: float, half: float) -> str:
    return f'<path d="M{px:.1f} {py - half:.1f}l{half} {1.7 * half:.1f}h{-2 * half}z"/>'


def _mark(dot: Dot, axes: Frame, *, reached: bool) -> str:
    drawn = shape(dot.kind, axes.x.at(dot.cost), axes.y.at(dot.accuracy))
    focus = ' tabindex="0" role="img"' if reached else ""
    return f'<g class="mark s-{dot.kind}"{focus}><title>{escape(dot.tooltip)}</title>{drawn}</g>'


def _grid(axes: Frame) -> Iterator[str]:
    yield from _lines(axes.x, axes.y)
    steps = [100 * tick for tick in axes.y.ticks]
    decimals = next(d for d in (0, 1, 2, 3) if d == 3 or all(abs(s - round(s, d)) < 1e-6 for s in steps))
    for tick, step in zip(axes.y.ticks, steps, strict=True):
        yield _text(LEFT - 6, axes.y.at(tick) + 4, f"{step:.{decimals}f} %", "end")
    yield from _x_axis(axes.x, axes.show_x, axes.x_label)


def _lines(x: Axis, y: Axis) -> Iterator[str]:
    lines = [f"M{LEFT} {y.at(tick):.1f}H{WIDTH - RIGHT}" for tick in y.ticks]
    lines += [f"M{x.at(tick):.1f} {HEIGHT - BOTTOM}V{TOP}" for tick in x.ticks]
    yield f'<path class="grid" d="{"".join(lines)}"/>'


def _x_axis(x: Axis, show: Callable[[float], str], label: str) -> Iterator[str]:
    for tick in x.ticks:
        at_end = x.at(tick) > WIDTH - 30
        yield _text(
            WIDTH - 2 if at_end else x.at(tick), HEIGHT - BOTTOM + 16, show(tick), "end" if at_end else "middle"
        )
    yield _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, label, "middle")


def _front_line(dots: Sequence[Dot], axes: Frame) -> Iterator[str]:
    front = sorted((dot.cost, dot.accuracy) for dot in dots if dot.on_front)
    if len(front) > 1:
        at = [(axes.x.at(cost), axes.y.at(accuracy)) for cost, accuracy in front]
        steps = f"M{at[0][0]:.1f} {at[0][1]:.1f}" + "".join(f"H{px:.1f}V{py:.1f}" for px, py in at[1:])
        yield f'<path class="front-line" d="{steps}"/>'


def _whiskers(dots: Iterable[Dot], axes: Frame) -> str:
    path = ""
    for dot in dots:
        px, py = axes.x.at(dot.cost), axes.y.at(dot.accuracy)
        if dot.cost_low is not None and dot.cost_high is not None:
            path += f"M{axes.x.at(dot.cost_low):.1f} {py:.1f}H{axes.x.at(dot.cost_high):.1f}"
        if ends := _accuracy_whisker(dot):
            low, high = (min(max(end, axes.y.low), axes.y.high) for end in ends)
            path += f"M{px:.1f} {axes.y.at(low):.1f}V{axes.y.at(high):.1f}"
    return f'<path class="whisker" d="{path}"/>'


def _accuracy_whisker(dot: Dot) -> tuple[float, ...]:
    """Both ends, or none: those that nobody would take carry no whisker up and down, as it would hide the others."""
    if dot.accuracy_low is None or dot.accuracy_high is None or dot.kind in ("out", "behind"):
        return ()
    return dot.accuracy_low, dot.accuracy_high


def _labels(dots: Sequence[Dot], axes: Frame) -> Iterator[str]:
    """The numbers of those on the front, where there is room: the chosen one first."""
    wanted = sorted((dot for dot in dots if dot.on_front or dot.kind in ("chosen", "base")), key=_rank)[:MOST_LABELS]
    taken = [_box(axes.x.at(dot.cost) - 5, axes.y.at(dot.accuracy) + 5, 10) for dot in dots]
    for dot in wanted:
        px, py, width = axes.x.at(dot.cost), axes.y.at(dot.accuracy), len(dot.label) * CHAR_PX
        for left, bottom in ((px + 9, py + 4), (px - 9 - width, py + 4), (px + 6, py - 9), (px - width / 2, py + 19)):
            box = _box(left, bottom, width)
            if left >= LEFT and left + width <= WIDTH and bottom - 10 >= TOP - 8 and not _crosses(box, taken):
                taken.append(box)
                kind = "label chosen" if dot.kind == "chosen" else "label"
                yield f'<text class="{kind}" x="{left:.1f}" y="{bottom:.1f}">{escape(dot.label)}</text>'
                break


def _rank(dot: Dot) -> tuple[int, float]:
    return (
        ("chosen", "base", "finalist").index(dot.kind) if dot.kind in ("chosen", "base", "finalist") else 3,
        dot.cost,
    )


def _box(left: float, bottom: float, width: float) -> tuple[float, float, float, float]:
    return (left, bottom - 11, left + width, bottom + 2)


def _crosses(box: tuple[float, ...], others: Iterable[tuple[float, ...]]) -> bool:
    return any(box[0] < o[2] and o[0] < box[2] and box[1] < o[3] and o[1] < box[3] for o in others)


def _text(px: float, py: float, text: str, anchor: str) -> str:
    return f'<text x="{px:.1f}" y="{py:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(body: Iterable[str], title: str, *, role: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="{role}" '
        f'aria-label="{escape(title)}">{"".join(body)}</svg>'
    )
