"""Single figures and findings as plain sentences; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from .across import AcrossModels
from .control import Control
from .joules import joules
from .language import listed, mark, plural, tr
from .pick import Check
from .record import Outcome, Record, RunRecord
from .summary import CellSummary
from .units import Shown, change, duration, file_size, instruction_count, memory, percent, points, ratio
from .verdict import Verdict, Word

OUTCOMES = {
    Outcome.OK: mark("ok"),
    Outcome.INVALID: mark("failed a gate"),
    Outcome.UNSUPPORTED: mark("unsupported"),
    Outcome.ERROR: mark("ended in an error"),
    Outcome.TIMEOUT: mark("timed out"),
}


BOUNDS: dict[str, tuple[str, Callable[[float], str]]] = {
    "accuracy_drop": (mark("accuracy loss"), lambda value: points(value)),
    "memory_peak_bytes": (mark("memory peak"), lambda value: memory(value)),
    "artifact_bytes": (mark("file"), lambda value: file_size(value)),
    "instructions": (mark("instructions"), lambda value: instruction_count(value).text),
    "latency_p95_ns": (mark("p95 latency"), lambda value: duration(value).text),
    "latency_median_ns": (mark("median latency"), lambda value: duration(value).text),
    "energy_j": (mark("energy"), lambda value: joules(value)),
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
        return tr("{count} instructions per inference", count=shown.text)
    if cell.latency is None:
        return tr("not measured")
    time = duration(cell.latency.median_ns, cell.latency.ci_low_ns, cell.latency.ci_high_ns)
    if not time.interval:
        return tr("{time} per inference (too few blocks for an interval)", time=time.text)
    return tr("{time} per inference (95 % interval {interval})", time=time.text, interval=time.interval)


def verdict_text(verdict: Verdict, baseline: str) -> str:
    """A verdict as one sentence with the figures that it rests on."""
    if verdict.ratio is None:
        return tr("Not comparable with {baseline}: {note}.", baseline=baseline, note=verdict.note)
    counted = verdict.metric == "instructions"
    evidence = tr(
        "{change}, {pairs}",
        change=ratio_text(verdict.ratio, verdict.ci_low, verdict.ci_high, counted=counted),
        pairs=plural(verdict.pairs, "process") if counted else plural(verdict.pairs, "block"),
    )
    match verdict.word:
        case Word.INCONCLUSIVE:
            return _inconclusive(verdict, baseline, evidence)
        case Word.EQUIVALENT:
            margin = percent(verdict.margin)
            text = mark("Equivalent to {baseline} within {margin}: {evidence}.")
            return tr(text, baseline=baseline, margin=margin, evidence=evidence)
        case word:
            if verdict.comparisons > 1:
                many = mark("{evidence}, corrected for {number} comparisons")
                evidence = tr(many, evidence=evidence, number=verdict.comparisons)
            return tr(_THAN[word], baseline=baseline, evidence=evidence)


_THAN = {
    Word.FASTER: mark("Faster than {baseline}: {evidence}."),
    Word.SLOWER: mark("Slower than {baseline}: {evidence}."),
    Word.LESS_WORK: mark("Less work than {baseline}: {evidence}."),
    Word.MORE_WORK: mark("More work than {baseline}: {evidence}."),
}


def _inconclusive(verdict: Verdict, baseline: str, evidence: str) -> str:
    if verdict.mde is None or verdict.differs:
        text = mark("Inconclusive against {baseline} ({evidence}): {note}.")
        return tr(text, baseline=baseline, evidence=evidence, note=verdict.note)
    return tr(
        "Inconclusive against {baseline} ({evidence}): {note}; a difference below {least} would be missed.",
        baseline=baseline,
        evidence=evidence,
        note=verdict.note,
        least=percent(verdict.mde),
    )


def ratio_text(value: float, low: float | None, high: float | None, *, counted: bool) -> str:
    """A ratio of time or instructions as a change in percent, with the ratio and its interval."""
    shown = ratio(value, low, high)
    return tr(
        _ratio_message(shown, counted=counted), amount=amount_text(value, counted=counted), **_ratio_values(shown)
    )


def amount_text(value: float, *, counted: bool) -> str:
    """A ratio as a change of time or of instructions."""
    return change(value, "instructions" if counted else "time")


def _ratio_message(shown: Shown, *, counted: bool) -> str:
    if shown.interval is None:
        return mark("{amount}; ratio {ratio}")
    if shown.low == shown.high:
        if counted:
            return mark("{amount}; ratio {ratio}, the same to these digits in every process")
        return mark("{amount}; ratio {ratio}, the same to these digits in every block")
    return (
        mark("{amount}; ratio {ratio}, range {interval}")
        if counted
        else mark("{amount}; ratio {ratio}, 95 % interval {interval}")
    )


def _ratio_values(shown: Shown) -> dict[str, object]:
    return {"ratio": shown.value, "interval": shown.interval}


def control_text(control: Control | None, board: str) -> str:
    """What the A/A control of a board says of it."""
    if control is None:
        return tr("No A/A control was run on {board}.", board=board)
    verdict = control.verdict
    differed = percent(abs((verdict.ratio or 1.0) - 1), 2)
    if not control.equal:
        return tr(
            "The A/A control failed: one model under two names differed by {differed}, so differences are unproven.",
            differed=differed,
        )
    if verdict.word is Word.INCONCLUSIVE and verdict.mde is not None:
        return tr(
            "One model under two names differed by {differed}: not proven, but less than {least} would be missed.",
            differed=differed,
            least=percent(verdict.mde),
        )
    text = mark("One model under two names differed by {differed}: the A/A control found no difference.")
    return tr(text, differed=differed)


def across_text(mean: AcrossModels, baseline: str) -> str:
    """A geometric mean over models, named as such."""
    counted = mean.metric == "instructions"
    what = ratio_text(mean.ratio, mean.ci_low, mean.ci_high, counted=counted)
    return tr(
        "{recipe} against {baseline}, geometric mean over {models} ({names}), {runtime}: {change}.",
        recipe=mean.recipe,
        baseline=baseline,
        models=plural(len(mean.models), "model"),
        names=listed(mean.models),
        runtime=mean.runtime,
        change=what,
    )


def bound_text(check: Check) -> str:
    """A bound of the budget and what was measured against it."""
    label, show = BOUNDS[check.bound]
    bound, limit = tr(label), show(check.limit)
    if check.value is None:
        return tr("{bound} was not measured (limit {limit})", bound=bound, limit=limit)
    value = show(check.value)
    if check.met:
        return tr("{bound} {value} (limit {limit})", bound=bound, value=value, limit=limit)
    excess = show(check.value - check.limit)
    text = mark("{bound} {value}, {excess} over the limit of {limit}")
    return tr(text, bound=bound, value=value, excess=excess, limit=limit)


def bounded(run: RunRecord) -> bool:
    """Whether the plan sets any bound."""
    return any(getattr(run.budget, bound) is not None for bound in BOUNDS)


def budget_text(run: RunRecord) -> str:
    """The budget of the plan in one sentence."""
    bounds = [(label, show, getattr(run.budget, bound)) for bound, (label, show) in BOUNDS.items()]
    parts = [
        tr("{bound} at most {value}", bound=tr(label), value=show(value))
        for label, show, value in bounds
        if value is not None
    ]
    return tr("Budget: {bounds}.", bounds=listed(parts)) if parts else tr("The plan sets no budget.")


def outcomes(cells: Iterable[CellSummary]) -> str:
    """How many cells ended how."""
    counted = Counter(cell.record.outcome for cell in cells)
    return listed(
        tr("{number} {word}", number=counted[outcome], word=tr(word))
        for outcome, word in OUTCOMES.items()
        if counted[outcome]
    )
