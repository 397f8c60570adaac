"""Single figures and findings as plain sentences; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from .across import AcrossModels
from .control import Control
from .joules import joules
from .pick import Check
from .record import Outcome, Record, RunRecord
from .summary import CellSummary
from .units import Shown, change, duration, file_size, instruction_count, memory, percent, points, ratio
from .verdict import Verdict, Word

OUTCOMES = {
    Outcome.OK: "ok",
    Outcome.INVALID: "failed a gate",
    Outcome.UNSUPPORTED: "unsupported",
    Outcome.ERROR: "ended in an error",
    Outcome.TIMEOUT: "timed out",
}


BOUNDS: dict[str, tuple[str, Callable[[float], str]]] = {
    "accuracy_drop": ("accuracy loss", lambda value: points(value)),
    "memory_peak_bytes": ("memory peak", lambda value: memory(value)),
    "artifact_bytes": ("file", lambda value: file_size(value)),
    "instructions": ("instructions", lambda value: instruction_count(value).text),
    "latency_p95_ns": ("p95 latency", lambda value: duration(value).text),
    "latency_median_ns": ("median latency", lambda value: duration(value).text),
    "energy_j": ("energy", lambda value: joules(value)),
}


def name(cell: CellSummary, others: Iterable[CellSummary]) -> str:
    """A candidate by its recipe, with runtime and settings only where others on its board differ in them."""
    board = cell.record.board
    return _named(cell.record, _differing([other.record for other in others if other.record.board == board]))


def names(cells: Iterable[CellSummary]) -> dict[str, str]:
    """`name` of each cell among all of them, by its id."""
    boards: dict[str, list[Record]] = {}
    for cell in cells:
        boards.setdefault(cell.record.board, []).append(cell.record)
    return {
        record.cell_id: _named(record, differing)
        for records in boards.values()
        for differing in [_differing(records)]
        for record in records
    }


def candidate_names(cells: Iterable[CellSummary]) -> dict[str, str]:
    """A name of each cell, by its id, that is the same on every board where its candidate runs."""
    records = [cell.record for cell in cells]
    differing = _differing(records)
    return {record.cell_id: _named(record, differing) for record in records}


def _differing(records: Sequence[Record]) -> tuple[bool, bool, tuple[str, ...]]:
    """Whether the cells of a board differ in model and in runtime, and the settings in which they do."""
    keys = sorted({key for record in records for key in record.settings})
    return (
        len({record.model for record in records}) > 1,
        len({record.runtime for record in records}) > 1,
        tuple(key for key in keys if len({str(record.settings.get(key)) for record in records}) > 1),
    )


def _named(record: Record, differing: tuple[bool, bool, tuple[str, ...]]) -> str:
    models, runtimes, keys = differing
    parts = [record.recipe, *([record.model] if models else []), *([record.runtime] if runtimes else [])]
    tuned = "settings" in record.settings  # `settings: best` stands for all of them
    shown = [key for key in keys if (key == "settings") is tuned]
    parts += [f"{key.replace('_', ' ')} {setting_text(record.settings.get(key))}" for key in shown]
    return " · ".join(parts)


def setting_text(value: object) -> str:
    """The value of a runtime setting as a person reads it; one that was not chosen is the default."""
    if value is None or value == []:
        return "default"
    if isinstance(value, bool):
        return "on" if value else "off"
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def work_text(cell: CellSummary) -> str:
    """Median work of one inference with its interval, in words."""
    if cell.instructions is not None:
        by_process = cell.instructions.process_medians.values()
        shown = instruction_count(cell.instructions.median, min(by_process), max(by_process))
        return f"{shown.text} instructions per inference"
    if cell.latency is None:
        return "not measured"
    time = duration(cell.latency.median_ns, cell.latency.ci_low_ns, cell.latency.ci_high_ns)
    interval = f" (95 % interval {time.interval})" if time.interval else " (too few blocks for an interval)"
    return f"{time.text} per inference{interval}"


def verdict_text(verdict: Verdict, baseline: str) -> str:
    """A verdict as one sentence with the figures that it rests on."""
    if verdict.ratio is None:
        return f"Not comparable with {baseline}: {verdict.note}."
    counted = verdict.metric == "instructions"
    unit = "process" if counted else "block"
    evidence = (
        f"{ratio_text(verdict.ratio, verdict.ci_low, verdict.ci_high, counted=counted)}, {plural(verdict.pairs, unit)}"
    )
    match verdict.word:
        case Word.INCONCLUSIVE:
            least = (
                ""
                if verdict.mde is None or verdict.differs
                else f"; a difference below {percent(verdict.mde)} would be missed"
            )
            return f"Inconclusive against {baseline} ({evidence}): {verdict.note}{least}."
        case Word.EQUIVALENT:
            return f"Equivalent to {baseline} within {percent(verdict.margin)}: {evidence}."
        case word:
            many = f", corrected for {verdict.comparisons} comparisons" if verdict.comparisons > 1 else ""
            return f"{word.value.capitalize().replace('-', ' ')} than {baseline}: {evidence}{many}."


def ratio_text(value: float, low: float | None, high: float | None, *, counted: bool) -> str:
    """A ratio of time or instructions as a change in percent, with the ratio and its interval."""
    shown = ratio(value, low, high)
    return f"{amount_text(value, counted=counted)}; ratio {shown.value}{_span(shown, counted=counted)}"


def amount_text(value: float, *, counted: bool) -> str:
    """A ratio as a change of time or of instructions."""
    return change(value, "instructions", "fewer", "as many") if counted else change(value)


def _span(shown: Shown, *, counted: bool) -> str:
    if shown.interval is None:
        return ""
    if shown.low == shown.high:
        return f", the same to these digits in every {'process' if counted else 'block'}"
    return f", {'range' if counted else '95 % interval'} {shown.interval}"


def control_text(control: Control | None, board: str) -> str:
    """What the A/A control of a board says of it."""
    if control is None:
        return f"No A/A control was run on {board}."
    verdict = control.verdict
    differed = percent(abs((verdict.ratio or 1.0) - 1), 2)
    if not control.equal:
        return f"The A/A control failed: one model under two names differed by {differed}, so differences are unproven."
    if verdict.word is Word.INCONCLUSIVE and verdict.mde is not None:
        least = percent(verdict.mde)
        return f"One model under two names differed by {differed}: not proven, but less than {least} would be missed."
    return f"One model under two names differed by {differed}: the A/A control found no difference."


def across_text(mean: AcrossModels, baseline: str) -> str:
    """A geometric mean over models, named as such."""
    counted = mean.metric == "instructions"
    what = ratio_text(mean.ratio, mean.ci_low, mean.ci_high, counted=counted)
    models = f"{plural(len(mean.models), 'model')} ({', '.join(mean.models)})"
    return f"{mean.recipe} against {baseline}, geometric mean over {models}, {mean.runtime}: {what}."


def bound_text(check: Check) -> str:
    """A bound of the budget and what was measured against it."""
    label, show = BOUNDS[check.bound]
    if check.value is None:
        return f"{label} was not measured (limit {show(check.limit)})"
    if check.met:
        return f"{label} {show(check.value)} (limit {show(check.limit)})"
    return f"{label} {show(check.value)}, {show(check.value - check.limit)} over the limit of {show(check.limit)}"


def bounded(run: RunRecord) -> bool:
    """Whether the plan sets any bound."""
    return any(getattr(run.budget, bound) is not None for bound in BOUNDS)


def budget_text(run: RunRecord) -> str:
    """The budget of the plan in one sentence."""
    bounds = [(label, show, getattr(run.budget, bound)) for bound, (label, show) in BOUNDS.items()]
    parts = [f"{label} at most {show(value)}" for label, show, value in bounds if value is not None]
    return f"Budget: {', '.join(parts)}." if parts else "The plan sets no budget."


def outcomes(cells: Iterable[CellSummary]) -> str:
    """How many cells ended how."""
    counted = Counter(cell.record.outcome for cell in cells)
    return ", ".join(f"{counted[outcome]} {word}" for outcome, word in OUTCOMES.items() if counted[outcome])


def plural(count: int, noun: str) -> str:
    """A number with its noun."""
    if count == 1:
        return f"1 {noun}"
    return f"{count} {noun}{'es' if noun.endswith('s') else 's'}"
