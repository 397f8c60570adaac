"""Which candidate to ship on a board, which came second and why it lost, or how near the nearest one came; pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from .record import Budget, Outcome
from .statistics import shift_estimate
from .summary import CellSummary, RunSummary
from .verdict import COUNT_MARGIN, TIME_MARGIN, log_ratios


class Purpose(StrEnum):
    """What a choice on a board means."""

    SHIP = "ship"
    REFERENCE = "reference"  # the run has no target board: a comparison, not a decision to ship
    LEAST_WORK = "least-work"  # emulated: fewest instructions, says nothing of speed


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One bound of the budget against one candidate; `value` None = not measured, which never meets a bound."""

    bound: str
    limit: float
    value: float | None

    @property
    def met(self) -> bool:
        """Whether the measured value keeps the bound."""
        return self.value is not None and self.value <= self.limit + 1e-12

    @property
    def excess(self) -> float:
        """By how much the bound is missed, relative to it; infinite when nothing was measured."""
        if self.value is None:
            return math.inf
        return max(0.0, self.value - self.limit) / max(abs(self.limit), 1e-3)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rival:
    """A candidate that was not chosen. `ratio` is its work over the chosen one's, paired over blocks, with interval.

    `tied` says that the two cannot be told apart in work; `misses` are the bounds that it broke.
    """

    cell: CellSummary
    ratio: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    tied: bool = False
    misses: tuple[Check, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Choice:
    """What may be said about one model on one board. `chosen` None: nothing was measured or nothing meets the budget.

    `rejected` are the measured candidates that break a bound, the nearest miss first. `sustained` says that the board
    slows down in long runs, so that what each candidate keeps up decides and not what it gives at first.
    """

    board: str
    model: str
    purpose: Purpose
    chosen: CellSummary | None
    baseline: CellSummary | None
    checks: tuple[Check, ...]
    runner_up: Rival | None
    rejected: tuple[Rival, ...]
    measured: int
    planned: int
    sustained: bool = False


def choices(summary: RunSummary) -> tuple[Choice, ...]:
    """One choice for each board and model: targets, or references in a run without targets; then emulated boards."""
    roles = {cell.record.role for cell in summary.cells if not cell.record.emulated}
    leading = "target" if "target" in roles else "reference"
    found: list[Choice] = []
    for emulated in (False, True):
        for board in summary.boards:
            cells = [cell for cell in summary.on_board(board) if cell.record.emulated is emulated]
            if cells and (emulated or cells[0].record.role == leading):
                purpose = Purpose.LEAST_WORK if emulated else Purpose.SHIP if leading == "target" else Purpose.REFERENCE
                models = dict.fromkeys(cell.record.model for cell in cells)
                found += [_choose([c for c in cells if c.record.model == m], purpose, summary) for m in models]
    return tuple(found)


def checks(cell: CellSummary, budget: Budget) -> tuple[Check, ...]:
    """The bounds of the budget that apply on this cell's board: instructions where they are counted, else time and
    energy."""
    accuracy_drop = 0.0 if cell.baseline and cell.fraction is not None else cell.drop.value if cell.drop else None
    values: list[tuple[str, float | None, float | None]] = [
        ("accuracy_drop", budget.accuracy_drop, accuracy_drop),
        ("memory_peak_bytes", budget.memory_peak_bytes, cell.memory.peak_bytes if cell.memory else None),
        ("artifact_bytes", budget.artifact_bytes, cell.record.artifact.bytes if cell.record.artifact else None),
    ]
    if cell.record.emulated:
        values.append(("instructions", budget.instructions, cell.work))
    else:
        time, joules = cell.latency, cell.energy
        values += [
            ("latency_p95_ns", budget.latency_p95_ns, time.p95_ns if time else None),
            ("latency_median_ns", budget.latency_median_ns, time.median_ns if time else None),
            ("energy_j", budget.energy_j, joules.total_j if joules else None),
        ]
    return tuple(Check(bound=bound, limit=limit, value=value) for bound, limit, value in values if limit is not None)


def _choose(cells: Sequence[CellSummary], purpose: Purpose, summary: RunSummary) -> Choice:
    budget = summary.run.budget
    measured = [cell for cell in cells if cell.ok and cell.work is not None]
    meeting = [cell for cell in measured if all(check.met for check in checks(cell, budget))]
    margin = _margin(cells[0], summary)
    sustained = _slows_down(measured, margin)
    best = _best_sustained if sustained else _best
    chosen = best(meeting, margin)
    others = [cell for cell in meeting if cell is not chosen]
    second = best(others, margin)
    return Choice(
        board=cells[0].record.board,
        model=cells[0].record.model,
        purpose=purpose,
        chosen=chosen,
        baseline=next((cell for cell in cells if cell.baseline and cell.record.outcome is Outcome.OK), None),
        checks=checks(chosen, budget) if chosen else (),
        runner_up=_rival(second, chosen, margin, ()) if second and chosen else None,
        rejected=_rejected(measured, budget, chosen, margin),
        measured=len(measured),
        planned=len(cells),
        sustained=sustained,
    )


def _margin(cell: CellSummary, summary: RunSummary) -> float:
    control = summary.controls.get(cell.record.board)
    return control.margin if control else COUNT_MARGIN if cell.record.emulated else TIME_MARGIN


def _best(cells: Sequence[CellSummary], margin: float) -> CellSummary | None:
    """The least work; among those that cannot be told from it the most accurate, then the least memory, then bytes."""
    measured = [cell for cell in cells if cell.work is not None]
    if not measured:
        return None
    least = min(measured, key=lambda cell: (cell.work or 0.0, cell.record.cell_id))
    tied = [cell for cell in measured if cell is least or _rival(cell, least, margin, ()).tied]
    return min(tied, key=_preference)


def _slows_down(cells: Sequence[CellSummary], margin: float) -> bool:
    """Whether long runs tell another story than blocks: each cell had one, and one of them became slower."""
    runs = [cell.sustained for cell in cells]
    return (
        bool(runs) and all(run is not None for run in runs) and any(run and run.slowdown > 1 + margin for run in runs)
    )


def _best_sustained(cells: Sequence[CellSummary], margin: float) -> CellSummary | None:
    """The least sustained time; one long run a cell has no interval, so what lies within the margin is tied."""
    kept = {cell: cell.sustained.sustained_ns for cell in cells if cell.sustained is not None}
    if not kept:
        return None
    least = min(kept.values())
    return min((cell for cell, kept_ns in kept.items() if kept_ns <= least * (1 + margin)), key=_preference)


def _preference(cell: CellSummary) -> tuple[float, float, float, float, str]:
    peak = cell.memory.peak_bytes if cell.memory and cell.memory.peak_bytes is not None else math.inf
    size = cell.record.artifact.bytes if cell.record.artifact else math.inf
    fraction = cell.fraction if cell.fraction is not None else -math.inf
    return (-fraction, peak, size, cell.work or math.inf, cell.record.cell_id)


def _rival(cell: CellSummary, chosen: CellSummary, margin: float, misses: tuple[Check, ...]) -> Rival:
    d = log_ratios(cell.by_block, chosen.by_block)
    if not d:
        return Rival(cell=cell, misses=misses)
    if cell.record.emulated:
        ratio, low, high = (math.exp(value) for value in (sorted(d)[len(d) // 2], min(d), max(d)))
        return Rival(cell=cell, ratio=ratio, ci_low=low, ci_high=high, tied=abs(ratio - 1) <= margin, misses=misses)
    estimate = shift_estimate(d)
    ratio = math.exp(estimate.value)
    low, high = (None if bound is None else math.exp(bound) for bound in (estimate.low, estimate.high))
    apart = ratio > 1 + margin and low is not None and low > 1
    return Rival(cell=cell, ratio=ratio, ci_low=low, ci_high=high, tied=not apart, misses=misses)


def _rejected(
    measured: Sequence[CellSummary], budget: Budget, chosen: CellSummary | None, margin: float
) -> tuple[Rival, ...]:
    broken = [(cell, tuple(check for check in checks(cell, budget) if not check.met)) for cell in measured]
    rivals = [
        _rival(cell, chosen, margin, misses) if chosen else Rival(cell=cell, misses=misses)
        for cell, misses in broken
        if misses
    ]
    return tuple(sorted(rivals, key=lambda r: (len(r.misses), sum(m.excess for m in r.misses), r.cell.record.cell_id)))
