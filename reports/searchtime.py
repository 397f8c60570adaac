"""Where the board time of a search went, and what full effort for every candidate would have cost; pure.

What was spent was measured. What it would have cost otherwise is an estimate and is called one.
"""

from __future__ import annotations

from dataclasses import dataclass

from .language import plural, tr
from .searchfronts import time_text
from .searchrecord import SearchBoard, SearchRecord
from .searchwords import brief
from .units import NOT_MEASURED


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeRow:
    """The board time of one board; `how` says what the estimate stands on, or why there is none."""

    board: str
    spent: str
    candidates: int
    full_effort: str
    estimate: str
    saved: str
    how: str


def time_rows(record: SearchRecord) -> tuple[TimeRow, ...]:
    """A row for each board."""
    return tuple(_row(record, board) for board in record.boards)


def _row(record: SearchRecord, board: SearchBoard) -> TimeRow:
    times = [t.board_time_s[board.name] for t in record.trials if t.board_time_s.get(board.name)]
    spent_s = sum(times)
    each_s, rounds = _full_effort(record, board)
    made = sum(t.artifact_bytes is not None and t.same_as is None for t in record.trials)
    row = TimeRow(
        board=brief(board.name),
        spent=time_text(spent_s) if times else tr(NOT_MEASURED),
        candidates=len(times),
        full_effort=tr(NOT_MEASURED),
        estimate=tr("not told"),
        saved=tr("not told"),
        how=tr("no round at full effort was timed, so there is nothing to estimate from"),
    )
    if each_s is None or not times:
        return row
    all_s = each_s * made
    return TimeRow(
        board=row.board,
        spent=row.spent,
        candidates=row.candidates,
        full_effort=time_text(each_s),
        estimate=time_text(all_s),
        saved=f"{all_s / spent_s:.1f} ×",
        how=tr(
            "estimate: {files}, each at the mean time of a candidate in {rounds} at full effort, its share of the "
            "baseline included",
            files=plural(made, "different file"),
            rounds=plural(rounds, "round"),
        ),
    )


def _full_effort(record: SearchRecord, board: SearchBoard) -> tuple[float | None, int]:
    """The mean time of one candidate in rounds with as many blocks as a board ever gave, from nothing to that many.

    A finalist is measured anew at each rung, so a round of the last one is what full effort alone costs.
    """
    rounds = [r for r in record.rounds if r.board_time_s.get(board.name) and r.trials]
    most = max((r.blocks.get(board.name, 0) for r in rounds), default=0)
    least = min((r.blocks.get(board.name, 0) for r in rounds), default=0)
    last = [r for r in rounds if r.blocks.get(board.name, 0) == most and (most > least or len(record.rungs) <= 1)]
    count = sum(len(r.trials) for r in last)
    return (sum(r.board_time_s[board.name] for r in last) / count, len(last)) if count else (None, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRow:
    """How far a board's cost model is off: each left out in turn, and on what it foretold before it was measured."""

    board: str
    candidates: int
    median: str
    worst: str
    foretold: str


def error_rows(record: SearchRecord) -> tuple[ErrorRow, ...]:
    """A row for each board that has a cost model."""
    rows: list[ErrorRow] = []
    for board in record.boards:
        one = record.predictor_errors.get(board.name)
        if one is not None:
            errors = foretold_errors(record, board.name, one.metric)
            middle = sorted(errors)[len(errors) // 2] if errors else None
            rows.append(
                ErrorRow(
                    board=brief(board.name),
                    candidates=one.candidates,
                    median=f"{one.median_pct:.0f} %",
                    worst=f"{one.worst_pct:.0f} %",
                    foretold=_foretold(middle, len(errors)),
                )
            )
    return tuple(rows)


def _foretold(middle: float | None, number: int) -> str:
    if middle is None:
        return tr("none yet")
    return tr("{error} (median of {number})", error=f"{100 * middle:.0f} %", number=number)


def foretold_errors(record: SearchRecord, board: str, metric: str) -> list[float]:
    """|foretold / measured - 1| of each candidate that was foretold before the board measured it."""
    found: list[float] = []
    for trial in record.trials:
        foretold = trial.predicted.get(board)
        measured = next((m.value for m in trial.measures if (m.board, m.metric) == (board, metric)), None)
        if foretold is not None and measured is not None and trial.same_as is None:
            found.append(abs(foretold / measured - 1))
    return found
