"""Every candidate of a search as a row of tables: what it was, how far it came, what is known of it; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .language import mark, tr
from .searchdropped import STAGES
from .searchfronts import time_text
from .searchgoals import cost_metric, figure, several_models
from .searchreasons import reason_text
from .searchrecord import SearchBoard, SearchMeasure, SearchRecord, SearchTrial
from .searchwords import amount, brief, parameter_text, quantity, repeats, shown
from .units import MINUS, NARROW, NOT_MEASURED, signed_points

MOST_ROWS = 1000
_STAGE_WORDS = {
    "proposed": mark("proposed"),
    "host": mark("this machine"),
    "board": mark("board"),
    "finalist": mark("finalist"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A figure in a table: the text, the lines below it, and what it is sorted by (None: not measured, last)."""

    text: str
    small: tuple[str, ...] = ()
    key: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRow:
    """One candidate as this machine knows it, and how far it came.

    `model` is empty where all have the same. `taken_on` are the boards that it would be taken for.
    """

    number: int
    model: str
    recipe: str
    parameters: str
    stage: str
    stage_key: float
    rung: str
    why: str
    accuracy: Cell
    change: Cell
    size: Cell
    taken_on: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardRow:
    """What one board gave of a candidate; `foretold` is what its cost model expected, `error` how far that was off."""

    number: int
    recipe: str
    taken: bool
    cost: Cell
    memory: Cell
    foretold: Cell
    error: Cell
    board_time: Cell


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardTable:
    """The candidates that a board measured, or was foretold to. `metric` is what it is asked for first."""

    board: str
    emulated: bool
    metric: str
    rows: tuple[BoardRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchTable:
    """All candidates, those of each board, and how many rows were left out."""

    rows: tuple[SearchRow, ...]
    boards: tuple[BoardTable, ...]
    left_out: int


def search_table(record: SearchRecord) -> SearchTable:
    """All candidates by number; of more than MOST_ROWS those that came furthest."""
    trials = list(record.trials)
    if len(trials) > MOST_ROWS:
        order = list(STAGES)
        trials = sorted(trials, key=lambda t: (-order.index(t.stage), t.number))[:MOST_ROWS]
        trials.sort(key=lambda t: t.number)
    several = several_models(record)
    return SearchTable(
        rows=tuple(_row(record, trial, several=several) for trial in trials),
        boards=tuple(_board_table(record, board, trials) for board in record.boards),
        left_out=len(record.trials) - len(trials),
    )


def _row(record: SearchRecord, trial: SearchTrial, *, several: bool) -> SearchRow:
    return SearchRow(
        number=trial.number,
        model=brief(trial.model, 40) if several else "",
        recipe=brief(trial.recipe),
        parameters=brief(parameter_text(trial), 160),
        stage=tr(_STAGE_WORDS[trial.stage]),
        stage_key=list(STAGES).index(trial.stage) + (trial.rung or 0) / 100,
        rung="" if trial.rung is None else tr("rung {number}", number=trial.rung),
        why=_why(record, trial),
        accuracy=_plain("accuracy", trial.host_accuracy),
        change=_change(trial),
        size=_plain("size", None if trial.artifact_bytes is None else float(trial.artifact_bytes)),
        taken_on=tuple(brief(name, 40) for name, number in record.chosen.items() if number == trial.number),
    )


def _why(record: SearchRecord, trial: SearchTrial) -> str:
    """What became of it: the sentence of the record, or what there is instead of one."""
    if trial.dropped is not None:
        return brief(reason_text(trial.dropped), 240)
    if trial.stage == "finalist":
        return tr("on the front")
    if trial.stage == "proposed":
        return tr("not judged yet")
    if record.state != "finished":
        return tr("waits for more effort")
    return tr("not dropped; no more effort was spent on it")


def _board_table(record: SearchRecord, board: SearchBoard, trials: Sequence[SearchTrial]) -> BoardTable:
    metric = cost_metric(record, board)
    rows = [
        _board_row(record, trial, board, metric)
        for trial in trials
        if trial.same_as is None and (figure(trial, board.name, metric) or board.name in trial.predicted)
    ]
    return BoardTable(board=brief(board.name, 40), emulated=board.emulated, metric=quantity(metric), rows=tuple(rows))


def _board_row(record: SearchRecord, trial: SearchTrial, board: SearchBoard, metric: str) -> BoardRow:
    found, memory = figure(trial, board.name, metric), figure(trial, board.name, "memory")
    spent_s = trial.board_time_s.get(board.name)
    foretold = trial.predicted.get(board.name)
    return BoardRow(
        number=trial.number,
        recipe=brief(trial.recipe),
        taken=record.chosen.get(board.name) == trial.number,
        cost=_missing() if found is None else _measured(found),
        memory=_plain("memory", None if memory is None else memory.value),
        foretold=Cell(text=tr("not foretold")) if foretold is None else _foretold(metric, foretold),
        error=_error(foretold, found),
        board_time=Cell(text=tr("none")) if spent_s is None else Cell(text=time_text(spent_s), key=spent_s),
    )


def _measured(one: SearchMeasure) -> Cell:
    found = shown(one.metric, one.value, one.ci_low, one.ci_high)
    if found is None:
        return Cell(text=amount(one.metric, one.value), small=(repeats(one),), key=one.value)
    return Cell(text=found.text, small=(found.interval or tr("no interval"), repeats(one)), key=one.value)


def _foretold(metric: str, value: float) -> Cell:
    found = shown(metric, value, 0.99 * value, 1.01 * value)  # no more digits than a forecast can have
    return Cell(text=amount(metric, value) if found is None else found.text, key=value)


def _error(foretold: float | None, measured: SearchMeasure | None) -> Cell:
    """How far a forecast was off, with its sign; sorted by its size."""
    if foretold is None or measured is None:
        return Cell(text=tr("not told"))
    off = foretold / measured.value - 1
    return Cell(text=f"{'+' if off >= 0 else MINUS}{abs(100 * off):.1f}{NARROW}%", key=abs(off))


def _change(trial: SearchTrial) -> Cell:
    """The change of accuracy against the baseline: what was lost is below zero."""
    if trial.drop_pp is None:
        return _missing()
    small: tuple[str, ...] = ()
    if trial.drop_low_pp is not None and trial.drop_high_pp is not None:
        low, high = signed_points(-trial.drop_high_pp / 100), signed_points(-trial.drop_low_pp / 100)
        small = (tr("{low} to {high}", low=low, high=high),)
    return Cell(text=signed_points(-trial.drop_pp / 100), small=small, key=-trial.drop_pp)


def _plain(metric: str, value: float | None) -> Cell:
    return _missing() if value is None else Cell(text=amount(metric, value), key=value)


def _missing() -> Cell:
    return Cell(text=tr(NOT_MEASURED))
