"""What a search is after on one board, and where a candidate stands in it: each goal as a ratio to a reference; pure.

Every goal is turned so that less is better and 0 is the ideal: times, counts, joules and bytes as they are, accuracy as
the share of wrong answers. The reference is the baseline's figure on that board; for the share of wrong answers, the
baseline's and what the plan allows to be lost; for the file, the plan's limit. Where one of these is not known, it is
the worst of what was measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .language import mark, tr
from .searchrecord import WORST, SearchBoard, SearchMeasure, SearchRecord, SearchTrial
from .searchwords import amount, quantity
from .units import percent, points

MOST_GOALS = 3
_TIMED = frozenset({"latency", "p95", "energy"})
_ON_HOST = frozenset({"accuracy", "size"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One objective on a board. `reference` is in base units, for accuracy wrong answers' share; `told` says it."""

    metric: str
    reference: float
    told: str


def figure(trial: SearchTrial, board: str, metric: str) -> SearchMeasure | None:
    """What a board measured of a candidate."""
    return next((one for one in trial.measures if one.board == board and one.metric == metric), None)


def cost_metric(record: SearchRecord, board: SearchBoard) -> str:
    """What a board's candidates are ordered by: the first objective that it tells, else its time or its count."""
    return next(iter(_own_metrics(record, board)), "instructions" if board.emulated else "latency")


def value_of(trial: SearchTrial, board: str, metric: str) -> float | None:
    """A goal's figure, less is better: for accuracy the share of wrong answers."""
    if metric == "accuracy":
        return None if trial.host_accuracy is None else 1 - trial.host_accuracy
    if metric == "size":
        return None if trial.artifact_bytes is None else float(trial.artifact_bytes)
    found = figure(trial, board, metric)
    return None if found is None else found.value


def counted(record: SearchRecord, board: SearchBoard) -> list[SearchTrial]:
    """Candidates of their own that keep every limit and that the board measured."""
    metric = cost_metric(record, board)
    return [
        trial
        for trial in record.trials
        if trial.same_as is None and trial.feasible and figure(trial, board.name, metric) is not None
    ]


def goals(record: SearchRecord, board: SearchBoard) -> tuple[Goal, ...]:
    """The goals of a board, at most MOST_GOALS: its own first, then accuracy and size."""
    asked = [one.metric for one in record.objectives if one.metric in _ON_HOST]
    own = _own_metrics(record, board) or [cost_metric(record, board)]
    metrics = dict.fromkeys([*own, *(name for name in ("accuracy", "size") if name in asked)])
    known = counted(record, board)
    found = (_goal(record, board.name, metric, known) for metric in metrics)
    return tuple(goal for goal in found if goal is not None)[:MOST_GOALS]


def place(trial: SearchTrial, board: str, wanted: Sequence[Goal]) -> tuple[float, ...] | None:
    """Each goal's figure over its reference; None where one was not measured."""
    values = [value_of(trial, board, goal.metric) for goal in wanted]
    if any(value is None for value in values):
        return None
    return tuple((value or 0.0) / goal.reference for value, goal in zip(values, wanted, strict=True))


def unbeaten(places: Mapping[int, tuple[float, ...]]) -> set[int]:
    """Those that no other is at least as good as in everything and better in something."""
    return {
        number
        for number, mine in places.items()
        if not any(other != mine and all(x <= y for x, y in zip(other, mine, strict=True)) for other in places.values())
    }


def baseline_error(record: SearchRecord) -> float | None:
    """The baseline's share of wrong answers on the host, from what the first candidate that tells it lost.

    None where there are several models: each has a baseline of its own, and the record does not say whose it is.
    """
    if several_models(record):
        return None
    for trial in record.trials:
        if trial.host_accuracy is not None and trial.drop_pp is not None:
            error = 1 - trial.host_accuracy - trial.drop_pp / 100
            return error if -1e-9 <= error <= 1 else None
    return None


def several_models(record: SearchRecord) -> bool:
    """Whether the candidates were made from more than one model."""
    return len({trial.model for trial in record.trials}) > 1


def _own_metrics(record: SearchRecord, board: SearchBoard) -> list[str]:
    return [
        one.metric
        for one in record.objectives
        if one.metric not in _ON_HOST and one.board in (board.name, WORST) and _can_tell(one.metric, board)
    ]


def _can_tell(metric: str, board: SearchBoard) -> bool:
    return metric not in _TIMED if board.emulated else metric != "instructions"


def _goal(record: SearchRecord, board: str, metric: str, known: Iterable[SearchTrial]) -> Goal | None:
    values = [value for trial in known if (value := value_of(trial, board, metric)) is not None]
    worst = max(values, default=None)
    if metric == "accuracy":
        return _accuracy_goal(record, worst)
    given = next((one.value for one in record.baselines if (one.board, one.metric) == (board, metric)), None)
    if metric == "size":
        given = next((one.limit for one in record.constraints if one.metric == "size"), None)
    reference = given or worst
    if not reference:
        return None
    what = {"quantity": quantity(metric), "figure": amount(metric, reference)}
    if not given:
        told = tr(_WORST_MEASURED, **what)
    elif metric == "size":
        told = tr("{quantity} {figure} (the plan's limit)", **what)
    else:
        told = tr("{quantity} {figure} (that of {baseline})", **what, baseline=record.baseline)
    return Goal(metric=metric, reference=reference, told=told)


_WORST_MEASURED = mark("{quantity} {figure} (the worst measured)")


def _accuracy_goal(record: SearchRecord, worst: float | None) -> Goal | None:
    base = baseline_error(record)
    allowed = next((one.limit for one in record.constraints if one.metric == "drop"), None)
    if base is not None and allowed is not None and base + allowed > 0:
        error = base + allowed
        told = tr(
            "accuracy {accuracy} ({points} below {baseline}, the plan's limit)",
            accuracy=percent(1 - error, 2),
            points=points(allowed),
            baseline=record.baseline,
        )
    elif worst:
        error = worst
        told = tr(_WORST_MEASURED, quantity=quantity("accuracy"), figure=percent(1 - error, 2))
    else:
        return None
    return Goal(metric="accuracy", reference=error, told=told)
