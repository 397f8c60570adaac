"""A run in brief as Markdown, for the summary page of a continuous integration job; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .pick import choices
from .record import RunRecord
from .sentences import answers
from .summary import CellSummary, RunSummary, summarize
from .units import file_size, memory, percent
from .wording import budget_text, name, outcomes, verdict_text, work_text

_HEADER = ("candidate", "outcome", "cost", "accuracy", "file", "peak memory", "against the baseline")
NOT_MEASURED = "not measured"
# What Markdown or HTML would take for more than text, and what a terminal would.
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&$@!])")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


def export_markdown(run: RunRecord) -> str:
    """What to ship, one table a board, and what failed and why."""
    return "\n".join(_lines(summarize(run))) + "\n"


def _lines(summary: RunSummary) -> Iterator[str]:
    run = summary.run
    yield f"## hilbench: {_safe(run.plan_name)}"
    yield ""
    yield f"Run {_safe(run.run_id)}, {_safe(run.state)}, protocol {_safe(run.protocol)}. {_safe(budget_text(run))}"
    yield ""
    for answer in answers(summary, choices(summary)):
        yield f"- **{_safe(answer.headline)}** {_safe(' '.join([*answer.why, *answer.sure[:1]]))}".rstrip()
    for board in summary.boards:
        cells = summary.on_board(board)
        if cells:
            yield from _board(board, cells, summary)
    failed = [cell.record for cell in summary.cells if cell.record.reason]
    if failed:
        yield from ("", "### What gave no figures, or figures that do not count", "")
        yield from (f"- {_safe(r.cell_id)}: {_safe(r.outcome.value)}: {_safe(str(r.reason))}" for r in failed)


def _board(board: str, cells: tuple[CellSummary, ...], summary: RunSummary) -> Iterator[str]:
    emulated = cells[0].record.emulated
    yield from ("", f"### {_safe(board)}{' (emulated: instructions, never time)' if emulated else ''}", "")
    yield from (_safe(outcomes(cells)), "", _row(_HEADER), _row(("---",) * len(_HEADER), safe=True))
    yield from (_row(_columns(cell, summary)) for cell in cells)


def _columns(cell: CellSummary, summary: RunSummary) -> tuple[str, ...]:
    artifact, peak = cell.record.artifact, None if cell.memory is None else cell.memory.peak_bytes
    return (
        name(cell, summary.cells),
        cell.record.outcome.value,
        NOT_MEASURED if cell.work is None else work_text(cell),
        NOT_MEASURED if cell.fraction is None else percent(cell.fraction, 2),
        NOT_MEASURED if artifact is None else file_size(artifact.bytes),
        NOT_MEASURED if peak is None else memory(peak),
        "baseline" if cell.baseline else _verdict(cell),
    )


def _verdict(cell: CellSummary) -> str:
    return "" if cell.verdict is None else verdict_text(cell.verdict, cell.baseline_recipe)


def _row(values: tuple[str, ...], *, safe: bool = False) -> str:
    return "| " + " | ".join(values if safe else map(_safe, values)) + " |"


def _safe(text: str) -> str:
    """A text on one line that is shown as it is."""
    return _SPECIAL.sub(r"\\\1", _CONTROL.sub(" ", text))
