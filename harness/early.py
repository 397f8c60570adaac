"""What of a running campaign decides whether it may stop: the paired log ratios of its completed blocks; pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from ..reports.record import Trial, TrialKind
from ..reports.stopping import may_stop
from ..reports.verdict import log_ratios
from .blocks import gets_verdict, whole_blocks
from .plan import Cell, Plan, stand_in


def campaign_is_over(
    plan: Plan,
    cells: Sequence[Cell],
    trials: Sequence[Trial],
    *,
    alive: Collection[str],
    width_pct: float | None,
    cap: int,
) -> bool:
    """Whether a timed board needs no further block: its cap is reached, or its intervals are narrow enough.

    `cells` are those of the board, `alive` the names (twins too) that have not failed for good, `width_pct` the whole
    width of every comparison's 95 % interval that was asked for. A board without comparisons runs to its cap.
    """
    whole = whole_blocks(trials, alive)
    if len(whole) >= cap:
        return True
    living = [cell for cell in cells if cell.cell_id in alive]
    return may_stop(completed_log_ratios(plan, living, trials, whole=whole), width_pct=width_pct, cap=cap)


def completed_log_ratios(
    plan: Plan, cells: Sequence[Cell], trials: Sequence[Trial], *, whole: dict[int, int]
) -> list[list[float]]:
    """For each candidate that will get a verdict, its log ratios to its baseline over the whole blocks."""
    medians: dict[str, dict[int, float]] = {}
    for trial in trials:
        if trial.kind is TrialKind.LATENCY and whole.get(trial.block) == trial.attempt and trial.samples.size:
            medians.setdefault(trial.cell_id, {})[trial.block] = float(np.median(trial.samples))
    found: list[list[float]] = []
    for cell in cells:
        base = _baseline(plan, cell, cells)
        if base is not None and gets_verdict(plan, cell):
            found.append(log_ratios(medians.get(cell.cell_id, {}), medians.get(base.cell_id, {})))
    return found


def _baseline(plan: Plan, cell: Cell, cells: Sequence[Cell]) -> Cell | None:
    """The cell that a candidate is compared with, as `reports.summary.find_baselines` finds it in records."""
    same = [c for c in cells if (c.model, c.settings) == (cell.model, cell.settings)]
    own = [c for c in same if c.recipe == plan.baseline]
    instead = [c for c in same if c.recipe == stand_in(plan)]
    return min(own or instead, key=lambda other: other.runtime != cell.runtime, default=None)
