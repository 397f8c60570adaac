"""Settings of one artifact on one board against its default setting, and which of them is to be used. Pure.

The evidence is the same as for recipes: blocks, paired, exact, adjusted for how many were compared. What differs is
what is compared: cells of one artifact that differ in their settings alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ...reports.comparable import why_not_comparable
from ...reports.control import Control
from ...reports.record import TrialKind
from ...reports.summary import CellSummary
from ...reports.verdict import (
    TIME_MARGIN,
    Comparison,
    Verdict,
    Word,
    compare_times,
    judge_counts,
    judge_times,
)

LATENCY, MEMORY = "latency", "memory"
OBJECTIVES = (LATENCY, MEMORY)
BETTER = (Word.FASTER, Word.LESS_WORK)
# What a setting must seem to gain in the screening to be looked at again: far below what a verdict needs.
PROMISING = {"instructions": 0.001, "latency_ns": 0.005, "memory_bytes": 0.005}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A setting's verdict against the default."""

    cell: CellSummary
    verdict: Verdict

    @property
    def promising(self) -> bool:
        """Whether it is worth a confirmation."""
        ratio = self.verdict.ratio
        return ratio is not None and ratio < 1 - PROMISING[self.verdict.metric]


def against_default(
    default: CellSummary, others: Sequence[CellSummary], control: Control | None, objective: str
) -> tuple[Judged, ...]:
    """The verdict of each setting against the default one, all together: their number decides how strong each must be.

    A board whose A/A control differed from itself proves nothing, whatever the figures.
    """
    found: dict[str, Verdict | Comparison] = {
        other.record.cell_id: _compare(default, other, control, objective) for other in others
    }
    words = judge_times({key: one for key, one in found.items() if isinstance(one, Comparison)})
    verdicts = {key: words[key] if isinstance(one, Comparison) else one for key, one in found.items()}
    if control is not None and not control.equal and objective == LATENCY:
        note = "the A/A control of this board differed from itself"
        verdicts = {key: replace(one, word=Word.INCONCLUSIVE, note=note) for key, one in verdicts.items()}
    return tuple(Judged(cell=other, verdict=verdicts[other.record.cell_id]) for other in others)


def winner(judged: Sequence[Judged]) -> Judged | None:
    """The setting with the best ratio among those that are proven better; None = the default stays."""
    better = [one for one in judged if one.verdict.word in BETTER and one.verdict.ratio is not None]
    return min(better, key=lambda one: (one.verdict.ratio or 1.0, one.cell.record.cell_id), default=None)


def memory_peaks(cell: CellSummary) -> dict[int, float]:
    """The largest resident memory of each memory process in bytes, by block."""
    peaks: dict[int, float] = {}
    for trial in cell.record.trials:
        if trial.kind is TrialKind.MEMORY and trial.memory is not None:
            phases = trial.memory
            read = (phases.load_peak_bytes, phases.first_peak_bytes, phases.steady_peak_bytes)
            if known := [peak for peak in read if peak is not None]:
                peaks[trial.block] = float(max(known))
    return peaks


def _metric(cell: CellSummary, objective: str) -> str:
    if objective == MEMORY:
        return "memory_bytes"
    return "instructions" if cell.record.emulated else "latency_ns"


def _compare(default: CellSummary, other: CellSummary, control: Control | None, objective: str) -> Verdict | Comparison:
    metric = _metric(other, objective)
    reason = _why_not(default, other)
    if reason is not None:
        return Verdict(word=Word.NOT_COMPARABLE, metric=metric, note=reason)
    if objective == MEMORY:
        return judge_counts(memory_peaks(other), memory_peaks(default), metric=metric)
    if metric == "instructions":
        return judge_counts(other.by_block, default.by_block, control.margin if control else 0.0)
    comparison = compare_times(other.by_block, default.by_block, control.margin if control else TIME_MARGIN)
    return comparison or Verdict(word=Word.NOT_COMPARABLE, metric=metric, note="no block measured both")


def _why_not(default: CellSummary, other: CellSummary) -> str | None:
    for name, cell in (("default", default), ("setting", other)):
        if not cell.ok:
            return f"the outcome of the {name} is {cell.record.outcome}: {cell.record.reason}"
    sources = [cell.instructions.source for cell in (default, other) if cell.instructions is not None]
    if len(set(sources)) > 1:
        return "the two were counted by different sources"
    return why_not_comparable(other.record, default.record, across_settings=True)


def candidates(judged: Mapping[str, Sequence[Judged]]) -> tuple[tuple[str, ...], ...]:
    """Which settings of a screening to confirm, as cells' ids: the best of each factor together, and the best alone.

    `judged` are the settings by factor. None where nothing seems to gain anything.
    """
    promising = {
        factor: min((one for one in found if one.promising), key=_ratio, default=None)
        for factor, found in judged.items()
    }
    best = [one for one in promising.values() if one is not None]
    if not best:
        return ()
    together = tuple(one.cell.record.cell_id for one in best)
    alone = (min(best, key=_ratio).cell.record.cell_id,)
    return (together,) if len(together) == 1 else (together, alone)


def _ratio(judged: Judged) -> float:
    return 1.0 if judged.verdict.ratio is None else judged.verdict.ratio
