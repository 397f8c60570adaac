"""What the page shows of "Did compression pay?": one row a candidate, figures as text; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .language import clauses, mark, tr
from .paid import Paid, Payoff, paid
from .paid_figures import FileFigures, GainFigures, file_figures
from .summary import CellSummary
from .units import NOT_MEASURED, file_size, instruction_count, percent, ratio

NOT_COUNTED = mark("not counted")
ROWS_OF_A_PAGE = 120  # a page of twenty boards with fifty candidates must still open on a phone
LEAST_ROWS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidRow:
    """One candidate, or a baseline (then `paid` is None). Ratios are empty where they are not known."""

    label: str
    parameters: str
    nonzero: str
    macs: str
    why: str
    bytes: str
    compressed: str
    macs_ratio: str
    bytes_ratio: str
    compressed_ratio: str
    measured: str
    interval: str
    paid: Paid | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidTable:
    """The rows of one board, and how many are `left_out` as the page has too many boards and candidates for all."""

    rows: tuple[PaidRow, ...]
    left_out: int = 0


def paid_table(cells: Sequence[tuple[str, CellSummary]], board: Mapping[str, Any], *, boards: int) -> PaidTable | None:
    """The table of one of `boards` boards; None where nothing is compared. Baselines and what was judged come first
    where not all rows have room, in the order given."""
    judged = _judged(cells, board)
    if not judged:
        return None
    room = max(LEAST_ROWS, ROWS_OF_A_PAGE // max(1, boards))
    places = range(len(judged))
    kept = set(sorted(places, key=lambda place: _last(judged[place][2]))[:room])
    rows = tuple(_row(*judged[place]) for place in places if place in kept)  # only what is shown is put into words
    return PaidTable(rows=rows, left_out=len(judged) - len(kept))


def paid_rows(cells: Sequence[tuple[str, CellSummary]], board: Mapping[str, Any]) -> tuple[PaidRow, ...]:
    """The rows of one board, in the order given; empty where nothing is compared. `board` are the board's facts."""
    return tuple(_row(*judged) for judged in _judged(cells, board))


def _judged(
    cells: Sequence[tuple[str, CellSummary]], board: Mapping[str, Any]
) -> list[tuple[str, CellSummary, Paid | None]]:
    by_id = {cell.record.cell_id: cell for _, cell in cells}
    if all(cell.baseline for _, cell in cells):
        return []
    return [
        (label, cell, None if cell.baseline else paid(cell, by_id.get(cell.baseline_cell or ""), board))
        for label, cell in cells
        if cell.record.artifact is not None
    ]


def _last(found: Paid | None) -> bool:
    return found is not None and found.word is Payoff.NOT_JUDGED


def _row(label: str, cell: CellSummary, found: Paid | None) -> PaidRow:
    file = file_figures(cell)
    gain = None if found is None else found.figures
    return PaidRow(
        label=label,
        parameters=tr(NOT_COUNTED) if file.parameters is None else f"{file.parameters:,}",
        nonzero=tr(NOT_COUNTED) if file.nonzero_share is None else percent(file.nonzero_share),
        macs=_macs(file),
        why=clauses(file.why),
        bytes=file_size(file.bytes),
        compressed=file_size(file.compressed_bytes),
        macs_ratio="" if gain is None else _ratio(gain.macs_ratio, NOT_COUNTED),
        bytes_ratio="" if gain is None else _ratio(gain.bytes_ratio, ""),
        compressed_ratio="" if gain is None else _ratio(gain.compressed_ratio, ""),
        measured="" if gain is None else _ratio(gain.measured_ratio, NOT_MEASURED),
        interval="" if gain is None else _interval(gain),
        paid=found,
    )


def _macs(file: FileFigures) -> str:
    return tr(NOT_COUNTED) if file.macs is None else instruction_count(file.macs).text


def _ratio(value: float | None, missing: str) -> str:
    return tr(missing) if value is None else ratio(value).text


def _interval(gain: GainFigures) -> str:
    low, high = gain.measured_low, gain.measured_high
    if gain.measured_ratio is None or low is None or high is None:
        return "" if gain.measured_ratio is None or gain.word is not None else tr("no verdict")
    return ratio(low, low, high).interval or ""
