"""Every pair of candidates of a board against each other, to look around in; pure.

These are not verdicts. So many comparisons are bound to hold some that chance made; Benjamini and Hochberg's method
bounds their share among those that stand out, not the chance that there is any. What is to be shipped is decided by the
comparisons with the baseline, whose number was known beforehand.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from .comparable import settings_key, why_not_comparable
from .statistics import benjamini_hochberg, signed_rank
from .summary import CellSummary, RunSummary
from .verdict import log_ratios

FALSE_SHARE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two timed candidates of one model on one board: time of `first` over that of `second`, paired over blocks.

    `q` is the p-value of no difference, adjusted by Benjamini and Hochberg over all pairs of the run.
    """

    board: str
    model: str
    first: str
    second: str
    ratio: float
    ci_low: float | None
    ci_high: float | None
    blocks: int
    p: float
    q: float

    @property
    def stands_out(self) -> bool:
        """Whether it is among the pairs of which at most 5 % are expected to be chance."""
        return self.q <= FALSE_SHARE


def every_pair(summary: RunSummary) -> tuple[Pair, ...]:
    """All pairs in the order of the plan, adjusted together. Pairs that must not be compared are left out."""
    found = [pair for board in summary.boards for pair in _on_board(summary.on_board(board))]
    adjusted = benjamini_hochberg({f"{i:06d}": pair.p for i, pair in enumerate(found)})
    return tuple(replace(pair, q=q) for pair, q in zip(found, adjusted.values(), strict=True))


def possible_pairs(cells: Sequence[CellSummary]) -> int:
    """How many pairs of timed candidates of one model a board has, those included that must not be compared."""
    models = Counter(cell.record.model for cell in _timed(cells))
    return sum(count * (count - 1) // 2 for count in models.values())


def _timed(cells: Sequence[CellSummary]) -> list[CellSummary]:
    return [cell for cell in cells if cell.ok and cell.latency is not None]


def _on_board(cells: tuple[CellSummary, ...]) -> Iterator[Pair]:
    for first, second in combinations(_timed(cells), 2):
        d = log_ratios(first.by_block, second.by_block)
        if first.record.model == second.record.model and d and not _forbidden(first, second):
            yield _pair(first, second, d)


def _forbidden(first: CellSummary, second: CellSummary) -> bool:
    """Two settings of the plan may be looked at side by side, if each is what really ran."""
    if settings_key(first.record) != settings_key(second.record):
        return any(why_not_comparable(cell.record, cell.record) for cell in (first, second))
    return why_not_comparable(first.record, second.record) is not None


def _pair(first: CellSummary, second: CellSummary, d: list[float]) -> Pair:
    test = signed_rank(d)
    estimate = test.estimate()
    p = test.p_anywhere()
    return Pair(
        board=first.record.board,
        model=first.record.model,
        first=first.record.cell_id,
        second=second.record.cell_id,
        ratio=math.exp(estimate.value),
        ci_low=None if estimate.low is None else math.exp(estimate.low),
        ci_high=None if estimate.high is None else math.exp(estimate.high),
        blocks=len(d),
        p=p,
        q=p,
    )
