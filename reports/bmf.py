"""A run in Bencher Metric Format, for services that track benchmarks over time; pure.

One benchmark a cell, one measure a quantity: `latency` in ns, `instructions`, `file-size` in bytes, `accuracy` as a
fraction, `memory` in bytes (largest resident memory), `energy` in J, all for one inference. Bounds stand there where
there is an interval, for instructions the range over processes. The board is the first part of a benchmark's name,
since one run has several and a figure means nothing without it.
"""

from __future__ import annotations

from collections.abc import Iterator

from .errors import ReportError
from .plain import Json
from .record import RunRecord
from .summary import CellSummary, summarize

Measure = tuple[str, float | None, float | None, float | None]


def export_bmf(run: RunRecord) -> Json:
    """`{benchmark: {measure: {value, lower_value, upper_value}}}`; what was not measured has no measure.

    The format has no word for a cell that failed, so those are left out. Raises ReportError where none is left.
    """
    cells = {cell.record.cell_id: _measures(cell) for cell in summarize(run).cells if cell.ok}
    found = {name: measures for name, measures in cells.items() if measures}
    if not found:
        raise ReportError("Bencher's format holds figures only, and no cell of this run is ok")
    return found


def _measures(cell: CellSummary) -> Json:
    return {
        name: {"value": value, **({} if low is None or high is None else {"lower_value": low, "upper_value": high})}
        for name, value, low, high in _all(cell)
        if value is not None
    }


def _all(cell: CellSummary) -> Iterator[Measure]:
    if cell.latency is not None:
        yield "latency", cell.latency.median_ns, cell.latency.ci_low_ns, cell.latency.ci_high_ns
    if cell.instructions is not None:
        counts = cell.instructions.process_medians.values()
        yield "instructions", cell.instructions.median, min(counts), max(counts)
    artifact, accuracy, energy = cell.record.artifact, cell.accuracy, cell.energy
    yield "file-size", None if artifact is None else artifact.bytes, None, None
    if accuracy is not None:
        on_host = accuracy.host is not None
        low, high = (accuracy.host_ci_low, accuracy.host_ci_high) if on_host else cell.board_interval or (None, None)
        yield "accuracy", cell.fraction, low, high
    yield "memory", None if cell.memory is None else cell.memory.peak_bytes, None, None
    if energy is not None and energy.total_j is not None:
        half = energy.uncertainty_j
        low, high = (None, None) if half is None else (energy.total_j - half, energy.total_j + half)
        yield "energy", energy.total_j, low, high
