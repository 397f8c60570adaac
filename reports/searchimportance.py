"""Which parameters mattered, as tables: one for the front and one for each objective; pure."""

from __future__ import annotations

from dataclasses import dataclass

from .language import mark, tr
from .searchrecord import WORST, SearchObjective, SearchRecord
from .searchwords import brief, quantity
from .units import percent

MOST_PARAMETERS = 12
LIKELY_CHANCE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportanceRow:
    """One parameter; `bar` is the width of its bar in percent, `told` whether more than chance is seen."""

    parameter: str
    share: str
    bar: float
    chance: str
    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportanceTable:
    """The parameters of one target, the weightiest first."""

    target: str
    rows: tuple[ImportanceRow, ...]
    left_out: int
    stands_on: str


def importance_tables(record: SearchRecord) -> tuple[ImportanceTable, ...]:
    """The front first, then the objectives in their order; none where too little was measured."""
    known = [one for one in record.importances if one.objective is None or one.objective < len(record.objectives)]
    found: list[ImportanceTable] = []
    for target in sorted({one.objective for one in known}, key=lambda place: -1 if place is None else place):
        mine = sorted((one for one in known if one.objective == target), key=lambda one: (-one.share, one.parameter))
        rows = tuple(
            ImportanceRow(
                parameter=brief(one.parameter),
                share=percent(one.share, 0),
                bar=round(100 * min(max(one.share, 0.0), 1.0), 1),
                chance=percent(one.chance, 0),
                told=tr("more than chance") if one.chance <= LIKELY_CHANCE else tr("not told apart from chance"),
            )
            for one in mine[:MOST_PARAMETERS]
        )
        name = tr("being on the front") if target is None else _objective(record.objectives[target])
        text = mark("It stands on {number} measured candidates, the best {top} of them against all.")
        stands_on = tr(text, number=mine[0].trials, top=mine[0].top)
        found.append(ImportanceTable(target=name, rows=rows, left_out=len(mine) - len(rows), stands_on=stands_on))
    return tuple(found)


def objective_text(one: SearchObjective) -> str:
    """An objective in words."""
    low = mark("few {quantity}") if one.metric == "instructions" else mark("low {quantity}")
    return tr(low if one.minimize else mark("high {quantity}"), quantity=_objective(one))


def _objective(one: SearchObjective) -> str:
    name = quantity(one.metric)
    if one.board is None:
        return name
    if one.board == WORST:
        return tr("{quantity} on the worst board", quantity=name)
    return tr("{quantity} on {board}", quantity=name, board=brief(one.board, 40))
