"""All cells of a run on one screen: a row a candidate, a column a board; pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .comparable import settings_key
from .language import tr
from .pick import Choice
from .record import Outcome, Record
from .summary import CellSummary, RunSummary
from .units import ratio
from .verdict import Word
from .wording import candidate_names

SIGNS = {
    Word.FASTER: "↓",
    Word.LESS_WORK: "↓",
    Word.SLOWER: "↑",
    Word.MORE_WORK: "↑",
    Word.EQUIVALENT: "=",
    Word.INCONCLUSIVE: "?",
    Word.NOT_COMPARABLE: "",
}
WITHOUT = {Outcome.UNSUPPORTED: "–", Outcome.ERROR: "E", Outcome.TIMEOUT: "T", Outcome.INVALID: "!"}
_Key = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixCell:
    """One cell: a ratio with the sign of its verdict, or a letter for why there is none. `kind` is its class."""

    text: str
    kind: str
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixRow:
    """One candidate on every board; None where the plan has no such cell."""

    label: str
    cells: tuple[MatrixCell | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """Rows in the order of the plan; `boards` are (name, whether emulated) in the order of the columns."""

    boards: tuple[tuple[str, bool], ...]
    rows: tuple[MatrixRow, ...]


def matrix(summary: RunSummary, choices: Iterable[Choice], boards: Iterable[tuple[str, bool]]) -> Matrix | None:
    """The matrix over `boards`; None with fewer than two, where the board's own table is the same."""
    columns = tuple(boards)
    if len(columns) < 2:
        return None
    chosen = {choice.chosen.record.cell_id for choice in choices if choice.chosen is not None}
    labels = candidate_names(summary.cells)
    found: dict[_Key, dict[str, CellSummary]] = {}
    for cell in summary.cells:
        found.setdefault(_key(cell.record), {})[cell.record.board] = cell
    rows = [
        MatrixRow(
            label=labels[next(iter(by_board.values())).record.cell_id],
            cells=tuple(_cell(by_board.get(board), chosen) for board, _ in columns),
        )
        for by_board in found.values()
    ]
    return Matrix(boards=columns, rows=tuple(rows))


def _key(record: Record) -> _Key:
    return (record.model, record.recipe, record.runtime, settings_key(record))


def _cell(cell: CellSummary | None, chosen: set[str]) -> MatrixCell | None:
    if cell is None:
        return None
    picked = cell.record.cell_id in chosen
    if not cell.ok:
        return MatrixCell(text=WITHOUT[cell.record.outcome], kind="out", chosen=picked)
    if cell.verdict is not None and cell.verdict.ratio is not None:
        text = f"{ratio(cell.verdict.ratio).value} {SIGNS[cell.verdict.word]}".strip()
        return MatrixCell(text=text, kind=_kind(cell.verdict.word), chosen=picked)
    if cell.work is None:
        return MatrixCell(text=tr("not measured"), kind="out", chosen=picked)
    return MatrixCell(text="1" if cell.baseline else tr("no verdict"), kind="even", chosen=picked)


def _kind(word: Word) -> str:
    if word in (Word.FASTER, Word.LESS_WORK):
        return "less"
    return "more" if word in (Word.SLOWER, Word.MORE_WORK) else "even"
