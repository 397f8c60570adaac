"""The times of a cell in two runs, judged over all cells together; pure.

The words and margins are those of a run's own verdicts (verdict.py); the test is Welch's, as two runs share no block.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from .comparechanges import Change, ChangeWord
from .language import tr
from .statistics import ALPHA, holm
from .units import percent
from .verdict import TIME_MARGIN
from .welch import Welch, welch


@dataclass(frozen=True, slots=True, kw_only=True)
class TimePair:
    """A cell in two runs: medians of all processes in ns, the least margin that counts, why it is wider than usual.

    `test` compares the logarithms of the process medians; None where a run has fewer than two processes.
    """

    earlier_ns: float
    later_ns: float
    margin: float
    test: Welch | None


def time_pair(earlier: Mapping[int, float], later: Mapping[int, float], margin: float) -> TimePair:
    """Make two runs' process medians (by block, ns) ready for the judgement; `margin` is at least the usual one."""
    logs = [[math.log(value) for value in values.values()] for values in (earlier, later)]
    return TimePair(
        earlier_ns=float(np.median(list(earlier.values()))),
        later_ns=float(np.median(list(later.values()))),
        margin=max(TIME_MARGIN, margin),
        test=welch(*logs),
    )


def judge_time_pairs(pairs: Mapping[str, TimePair]) -> dict[str, Change]:
    """The change of each cell's time. Words are claimed at 5 % over all cells together (Holm); intervals are each
    cell's own 95 %."""
    changes = {key: _alone(pair) for key, pair in pairs.items()}
    adjusted = holm({key: p for key, (_, p) in changes.items()})
    return {
        key: change if adjusted[key] <= ALPHA else _unproven(change, changes[key][1], len(pairs))
        for key, (change, _) in changes.items()
    }


def _alone(pair: TimePair) -> tuple[Change, float]:
    """What the data of one cell would support alone, and the two-sided p-value of that claim.

    The three claims exclude each other; each is tested one-sided at half of alpha, as in verdict.py.
    """
    change = Change(
        metric="latency_ns",
        word=ChangeWord.INCONCLUSIVE,
        earlier=pair.earlier_ns,
        later=pair.later_ns,
        size=pair.later_ns / pair.earlier_ns,
        margin=pair.margin,
    )
    test = pair.test
    if test is None:
        return change, 1.0
    low, high = math.log1p(-pair.margin), math.log1p(pair.margin)
    chances = {
        ChangeWord.FASTER: test.p_below(low),
        ChangeWord.SLOWER: test.p_above(high),
        ChangeWord.EQUIVALENT: max(test.p_below(high), test.p_above(low)),
    }
    word = min(chances, key=lambda claim: chances[claim])
    bounds = [math.exp(bound) for bound in test.interval()]
    change = replace(
        change,
        word=word,
        size=math.exp(test.shift),
        low=bounds[0],
        high=bounds[1],
        harmless=bounds[1] <= 1 + pair.margin,
    )
    return change, min(1.0, 2 * chances[word])


def _unproven(change: Change, p: float, comparisons: int) -> Change:
    if change.low is None:
        note = tr("a run has fewer than two processes, so its spread is unknown")
    elif p <= ALPHA:
        note = tr("clear alone, but not as one of {number} comparisons", number=comparisons)
    else:
        note = tr("the interval reaches across the margin of {margin}", margin=f"±{percent(change.margin)}")
    return replace(change, word=ChangeWord.INCONCLUSIVE, note=note)
