"""The part of a search's report on one board: how the front grew, and what it was worth; pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from .language import listed, mark, plural, tr
from .searchdots import dots_of
from .searchdrawing import Dot, Frame, frame, front_panel, hypervolume_panel
from .searchgoals import cost_metric, figure
from .searchhistory import PARTS, History, history, reference_text
from .searchrecord import SearchBoard, SearchRecord, SearchTrial
from .searchwords import brief, quantity
from .units import COUNT, NARROW, TIME, percent

MOST_NAMED = 8  # candidates of a front in a sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One small drawing, made here, with what stands above and below it; `alone` has a row of its own."""

    label: str
    drawing: str
    sentence: str
    alone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardPart:
    """One board: its panels, and sentences that stand in for what cannot be drawn."""

    name: str
    emulated: bool
    panels: tuple[Panel, ...]
    sentences: tuple[str, ...]


def board_parts(record: SearchRecord) -> tuple[BoardPart, ...]:
    """Each board of the search in the order of the plan."""
    return tuple(_part(record, board) for board in record.boards)


def time_text(seconds: float) -> str:
    """Board time in s, min or h, to about three digits."""
    size, unit = time_scale(seconds)
    value = seconds / size
    return f"{value:.{0 if value >= 99.5 or (size == 1 and value >= 10) else 1}f}{NARROW}{unit}"


def time_scale(seconds: float) -> tuple[int, str]:
    """The unit that suits a board time, and its seconds."""
    return (3600, "h") if seconds >= 2 * 3600 else (60, "min") if seconds >= 120 else (1, "s")


def _part(record: SearchRecord, board: SearchBoard) -> BoardPart:
    past = history(record, board)
    drawn = _drawn(record, board)
    panels: list[Panel] = []
    told: list[str] = []
    if not drawn:
        text = mark("No front is drawn: no candidate has both {quantity} on {board} and an accuracy.")
        told.append(tr(text, quantity=quantity(cost_metric(record, board)), board=brief(board.name)))
    else:
        panels += _fronts(record, board, past, drawn)
    if past.moments and past.goals:
        panels.append(_hypervolume(board, past))
    else:
        untold = mark("The hypervolume over board time is not told: the record does not say how long its rounds took.")
        told.append(tr(untold))
    if drawn and not past.moments:
        told.append(tr("How the front grew is not told, for the same reason: what is drawn is where it stands now."))
    return BoardPart(name=brief(board.name), emulated=board.emulated, panels=tuple(panels), sentences=tuple(told))


def _drawn(record: SearchRecord, board: SearchBoard) -> list[SearchTrial]:
    metric = cost_metric(record, board)
    return [
        t
        for t in record.trials
        if t.same_as is None and t.host_accuracy is not None and figure(t, board.name, metric) is not None
    ]


def _fronts(record: SearchRecord, board: SearchBoard, past: History, drawn: Sequence[SearchTrial]) -> list[Panel]:
    """The front after parts of the board time; only as it is now where nobody knows what came when."""
    everyone = {t.number for t in drawn}
    moments: list[tuple[str, Collection[int]]] = []
    for part, words in PARTS if past.moments else ():
        then = past.at(part)
        label = tr(words, time=time_text(part * past.total_s))
        moments.append((label, everyone & then.measured if then else set()))
    if not past.moments:
        moments.append((tr("As it is now"), everyone))
    axes = _axes(record, board, dots_of(record, board, drawn))
    panels: list[Panel] = []
    for place, (label, numbers) in enumerate(moments):
        dots = dots_of(record, board, [t for t in drawn if t.number in numbers])
        sentence = _front_sentence(dots)
        text = mark("{moment} on {board}: {finding}")
        title = tr(text, moment=label, board=brief(board.name), finding=sentence)
        drawing = front_panel(dots, axes, title=title, reached=place == len(moments) - 1)
        panels.append(Panel(label=label, drawing=drawing, sentence=sentence))
    return panels


def _front_sentence(dots: Sequence[Dot]) -> str:
    measured = [dot for dot in dots if dot.kind != "base"]
    if not measured:
        return tr("No round had ended by then.")
    kept = sum(dot.kind != "out" for dot in measured)
    front = sorted((dot for dot in measured if dot.on_front), key=lambda dot: dot.cost)
    many = plural(len(measured), "candidate")
    if not front:
        return tr("{candidates} measured; none keeps every limit.", candidates=many)
    named = listed(dot.label for dot in front[:MOST_NAMED])
    if len(front) > MOST_NAMED:
        named = tr("{numbers} and {number} more", numbers=named, number=len(front) - MOST_NAMED)
    text = mark("{candidates} measured, {kept} within every limit; on the front: {numbers}.")
    return tr(text, candidates=many, kept=kept, numbers=named)


def _axes(record: SearchRecord, board: SearchBoard, dots: Sequence[Dot]) -> Frame:
    metric, largest = cost_metric(record, board), max(dot.cost_high or dot.cost for dot in dots)
    size, unit = next((one for one in _scales(metric) if largest >= one[0]), _scales(metric)[-1])
    label = tr("{quantity}, {unit}", quantity=quantity(metric), unit=tr(unit)) if unit else quantity(metric)
    return frame(dots, show_x=lambda value: f"{value / size:.6g}", x_label=label)


def _scales(metric: str) -> Sequence[tuple[float, str]]:
    match metric:
        case "latency" | "p95":
            return TIME
        case "instructions":
            return COUNT
        case "memory":
            return ((2.0**20, "MiB"), (1.0, mark("bytes")))
        case "energy":
            return ((1.0, "J"), (1e-3, "mJ"), (1e-6, "µJ"))
        case _:
            return ((1.0, ""),)


def _hypervolume(board: SearchBoard, past: History) -> Panel:
    size, unit = time_scale(past.total_s)
    points = [(one.board_time_s / size, one.hypervolume) for one in past.moments]
    sentence = tr(
        "{finding}. Goals are ratios to the reference point, on linear scales: {reference}.",
        finding=_reached(past),
        reference=reference_text(past.goals),
    )
    title = tr("Hypervolume over board time on {board}: {finding}", board=brief(board.name), finding=sentence)
    x_label = tr("{quantity}, {unit}", quantity=tr("board time"), unit=unit)
    drawing = hypervolume_panel(points, x_label=x_label, title=title)
    return Panel(label=tr("Hypervolume over board time"), drawing=drawing, sentence=sentence, alone=True)


def _reached(past: History) -> str:
    """The last hypervolume, and how soon most of it was there."""
    known = {
        "worth": f"{past.moments[-1].hypervolume:.3f}",
        "time": time_text(past.total_s),
        "rounds": plural(len(past.moments), "round"),
    }
    early_s = past.worth(0.95)
    if early_s is None:
        text = mark("{worth} after {time} and {rounds}: no candidate is below the reference point in every goal")
        return tr(text, **known)
    text = mark("{worth} after {time} and {rounds}; 95 % of that was reached after {early} ({share} of it)")
    return tr(text, **known, early=time_text(early_s), share=percent(early_s / past.total_s, 0))
