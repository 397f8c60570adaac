"""What a confirmation says of a search's finalists: the figures that its report may quote. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...reports.record import RunRecord
from ...reports.searchrecord import Confirmation, SearchMeasure, SearchTrial
from ...reports.summary import CellSummary, summarize


def confirmations(record: RunRecord, board: str, finalists: Sequence[SearchTrial]) -> tuple[Confirmation, ...]:
    """The finalists of a board with what a confirmation measured of them; those without figures are left out."""
    cells = {cell.record.recipe: cell for cell in summarize(record).on_board(board) if cell.ok}
    return tuple(
        Confirmation(
            board=board, trial=trial.number, run_id=record.run_id, measures=tuple(_measures(cells[trial.recipe]))
        )
        for trial in finalists
        if trial.recipe in cells
    )


def _measures(cell: CellSummary) -> Iterator[SearchMeasure]:
    board, time, count, energy = cell.record.board, cell.latency, cell.instructions, cell.energy
    if time is not None:
        yield SearchMeasure(
            board=board,
            metric="latency",
            value=time.median_ns,
            ci_low=time.ci_low_ns,
            ci_high=time.ci_high_ns,
            blocks=time.blocks,
        )
        if time.p95_ns is not None:
            yield SearchMeasure(board=board, metric="p95", value=time.p95_ns, blocks=time.blocks)
    if count is not None:
        yield SearchMeasure(board=board, metric="instructions", value=count.median, blocks=count.processes)
    if cell.memory is not None and cell.memory.peak_bytes:
        yield SearchMeasure(board=board, metric="memory", value=float(cell.memory.peak_bytes), blocks=1)
    if energy is not None and energy.total_j is not None:
        yield SearchMeasure(board=board, metric="energy", value=energy.total_j, blocks=energy.blocks)
    if cell.drop is not None:
        drop = cell.drop
        yield SearchMeasure(board=board, metric="drop", value=drop.value, ci_low=drop.low, ci_high=drop.high)
    if cell.record.artifact is not None:
        yield SearchMeasure(board=board, metric="size", value=float(cell.record.artifact.bytes))
