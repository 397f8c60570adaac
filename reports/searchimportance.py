"""Which parameters mattered, as tables: one for the front and one for each objective; pure."""

from __future__ import annotations

from dataclasses import dataclass

from .searchrecord import WORST, SearchObjective, SearchRecord
from .searchwords import METRICS, brief
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
                told="more than chance" if one.chance <= LIKELY_CHANCE else "not told apart from chance",
            )
            for one in mine[:MOST_PARAMETERS]
        )
        name = "being on the front" if target is None else _objective(record.objectives[target])
        stands_on = f"{mine[0].trials} measured candidates, the best {mine[0].top} of them against all"
        found.append(ImportanceTable(target=name, rows=rows, left_out=len(mine) - len(rows), stands_on=stands_on))
    return tuple(found)


def objective_text(one: SearchObjective) -> str:
    """An objective in words."""
    return f"{'high' if not one.minimize else 'few' if one.metric == 'instructions' else 'low'} {_objective(one)}"


def _objective(one: SearchObjective) -> str:
    where = "" if one.board is None else " on the worst board" if one.board == WORST else f" on {brief(one.board, 40)}"
    return f"{METRICS.get(one.metric, brief(one.metric))}{where}"
