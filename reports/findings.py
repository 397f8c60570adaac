"""What the page finds of each cell beyond its figures: whether compression paid, and how board and host agree; pure."""

from __future__ import annotations

from dataclasses import dataclass

from .gap import Gap, gap
from .paid import Paid, paid
from .summary import RunSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Of one cell. `paid` is None for baselines and where no file was made, `gap` where the board judged nothing."""

    paid: Paid | None
    gap: Gap | None


def findings(summary: RunSummary) -> dict[str, Findings]:
    """The findings of every cell by its id: those that the page words, for all cells and not only for those shown."""
    by_id = {cell.record.cell_id: cell for cell in summary.cells}
    found: dict[str, Findings] = {}
    for key, cell in by_id.items():
        board = summary.run.boards.get(cell.record.board, {})
        judged = not cell.baseline and cell.record.artifact is not None
        found[key] = Findings(
            paid=paid(cell, by_id.get(cell.baseline_cell or ""), board) if judged else None,
            gap=gap(cell.record, board, summary.run.provenance),
        )
    return found
