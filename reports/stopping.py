"""When a campaign may end before its cap: when the intervals are as narrow as was asked for; pure.

A width may be looked at after every block, a p-value or a verdict may not: who stops as soon as a word appears finds
one in the end. The width of an interval does not depend on where the truth lies, so stopping on it leaves the coverage
nearly as it was, if it does not begin too early. The margin and the verdicts are therefore not even arguments here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from .statistics import blocks_needed, shift_estimate

LEAST_BLOCKS = 10  # from 6 or 3 blocks on the first narrow interval is too often a lucky one


def narrow_enough(log_ratios: Sequence[Sequence[float]], *, width_pct: float) -> bool:
    """Whether every comparison's 95 % interval, from its lower to its upper end, is at most `width_pct` % wide.

    Each comparison is the log ratios of the blocks completed so far. False below 10 blocks, below the number that a
    verdict needs, and without any comparison.
    """
    least = max(LEAST_BLOCKS, blocks_needed(max(1, len(log_ratios))))
    return bool(log_ratios) and all(len(d) >= least and _width_pct(d) <= width_pct for d in log_ratios)


def may_stop(log_ratios: Sequence[Sequence[float]], *, width_pct: float | None, cap: int) -> bool:
    """Whether a campaign is over: its cap is reached, or its intervals are narrow enough (`width_pct` None: never)."""
    done = min((len(d) for d in log_ratios), default=0)
    return done >= cap or (width_pct is not None and narrow_enough(log_ratios, width_pct=width_pct))


def pointless_stop(cap: int, comparisons: int) -> str | None:
    """Why a stop on width could never come before a cap, with a cap that would allow it; None where it could."""
    least = max(LEAST_BLOCKS, blocks_needed(max(1, comparisons)))
    if cap > least:
        return None
    return f"a campaign of {cap} blocks has no room to stop early: that is looked at from {least} blocks on"


def _width_pct(d: Sequence[float]) -> float:
    estimate = shift_estimate(d)
    if estimate.low is None or estimate.high is None:
        return math.inf
    return 100 * (math.exp(estimate.high) - math.exp(estimate.low))
