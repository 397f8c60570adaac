"""A run in a few lines for the terminal; the report has the rest."""

from __future__ import annotations

from ..reports.summary import CellSummary, RunSummary
from ..reports.wording import name
from .console import table

NOT_MEASURED = "not measured"


def brief(summary: RunSummary) -> str:
    """One table a board, then what failed and why."""
    parts: list[str] = []
    for board in summary.boards:
        cells = summary.on_board(board)
        if cells:
            parts.append(f"{board}{' (emulated: instructions, never time)' if cells[0].record.emulated else ''}")
            parts.append(table([_row(cell, summary) for cell in cells], _header(emulated=cells[0].record.emulated)))
    reasons = [f"{c.record.cell_id}: {c.record.outcome}: {c.record.reason}" for c in summary.cells if c.record.reason]
    return "\n\n".join([*parts, "\n".join(reasons)] if reasons else parts)


def _header(*, emulated: bool) -> list[str]:
    cost = "instructions" if emulated else "latency [95 % interval]"
    return ["candidate", "outcome", cost, "accuracy", "file", "peak memory", "against the baseline"]


def _row(cell: CellSummary, summary: RunSummary) -> list[str]:
    artifact = cell.record.artifact
    return [
        name(cell, summary.cells),
        cell.record.outcome.value,
        cost_text(cell),
        NOT_MEASURED if cell.fraction is None else f"{cell.fraction:.2%}",
        NOT_MEASURED if artifact is None else f"{artifact.bytes / 1000:.0f} kB",
        _memory(cell),
        _verdict(cell),
    ]


def cost_text(cell: CellSummary) -> str:
    """What one inference costs: instructions on an emulated board, time with its interval on a real one."""
    if cell.instructions is not None:
        return f"{cell.instructions.median / 1e6:.3f} M"
    if cell.latency is None:
        return NOT_MEASURED
    found = cell.latency
    interval = (
        ""
        if found.ci_low_ns is None or found.ci_high_ns is None
        else f" [{_ms(found.ci_low_ns)}, {_ms(found.ci_high_ns)}]"
    )
    return f"{_ms(found.median_ns)}{interval} ms"


def _ms(value_ns: float) -> str:
    return f"{value_ns / 1e6:.3g}"


def _memory(cell: CellSummary) -> str:
    peak = None if cell.memory is None else cell.memory.peak_bytes
    return NOT_MEASURED if peak is None else f"{peak / 2**20:.1f} MiB"


def _verdict(cell: CellSummary) -> str:
    if cell.baseline:
        return "baseline"
    if cell.verdict is None:
        return ""
    ratio = "" if cell.verdict.ratio is None else f", {cell.verdict.ratio:.3f}x"
    return f"{cell.verdict.word}{ratio}"
