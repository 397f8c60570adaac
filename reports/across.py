"""One ratio for a recipe over several models: their geometric mean, named as such; pure.

A mean over models hides which of them gained. It is given only where every model of the run gave a comparable ratio:
a mean over those that happened to work would be a mean over the kinder ones.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .comparable import settings_key
from .statistics import shift_estimate
from .summary import CellSummary, RunSummary
from .verdict import Word


@dataclass(frozen=True, slots=True, kw_only=True)
class AcrossModels:
    """The geometric mean of a recipe's ratios to the baseline over `models`, on one board with one runtime setting.

    In time the interval is 95 % over blocks, of each block's own mean, so what the models share in a block is not
    counted twice; None with fewer than 6 blocks. In instructions it is the range over processes. It speaks of these
    models, not of models in general, and takes no part in any verdict.
    """

    board: str
    recipe: str
    runtime: str
    settings: str
    models: tuple[str, ...]
    metric: str
    ratio: float
    ci_low: float | None
    ci_high: float | None
    blocks: int


def across_models(summary: RunSummary) -> tuple[AcrossModels, ...]:
    """One for each board, recipe and runtime setting of a run with two models or more; in the order of the plan."""
    models = tuple(dict.fromkeys(cell.record.model for cell in summary.cells))
    by_key: defaultdict[tuple[str, str, str, str], dict[str, CellSummary]] = defaultdict(dict)
    for cell in summary.cells:
        if not cell.baseline:
            record = cell.record
            key = (record.board, record.recipe, record.runtime, settings_key(record))
            by_key[key][record.model] = cell
    by_id = {cell.record.cell_id: cell for cell in summary.cells}
    found = (_mean(key, [cells.get(model) for model in models], by_id) for key, cells in by_key.items())
    return () if len(models) < 2 else tuple(mean for mean in found if mean is not None)


def _mean(
    key: tuple[str, str, str, str], cells: Sequence[CellSummary | None], by_id: Mapping[str, CellSummary]
) -> AcrossModels | None:
    compared: list[tuple[CellSummary, CellSummary]] = []
    for cell in cells:
        base = None if cell is None else by_id.get(cell.baseline_cell or "")
        if cell is None or base is None or cell.verdict is None or cell.verdict.word is Word.NOT_COMPARABLE:
            return None
        compared.append((cell, base))
    blocks = sorted(set.intersection(*(set(cell.by_block) & set(base.by_block) for cell, base in compared)))
    if not blocks:
        return None
    means = [
        float(np.mean([math.log(cell.by_block[block] / base.by_block[block]) for cell, base in compared]))
        for block in blocks
    ]
    centre, low, high = _spread(means, counted=compared[0][0].record.emulated)
    return AcrossModels(
        board=key[0],
        recipe=key[1],
        runtime=key[2],
        settings=key[3],
        models=tuple(cell.record.model for cell, _ in compared),
        metric="instructions" if compared[0][0].record.emulated else "latency_ns",
        ratio=math.exp(centre),
        ci_low=None if low is None else math.exp(low),
        ci_high=None if high is None else math.exp(high),
        blocks=len(blocks),
    )


def _spread(means: Sequence[float], *, counted: bool) -> tuple[float, float | None, float | None]:
    if counted:
        return float(np.median(means)), min(means), max(means)
    estimate = shift_estimate(means)
    return estimate.value, estimate.low, estimate.high
