"""Where a series of runs changed its level: binary segmentation with a permutation test; pure.

At each place that leaves enough runs on both sides the means before and after it are compared (CUSUM); the largest
difference, weighted by the two numbers of runs, is the statistic. Its distribution under no change is that of the same
values in random orders, which assumes only that runs scatter alike, not how. A change found splits the series, and both
parts are searched again. (Vostrikova, Soviet Mathematics Doklady 24 (1981), 55-59, for the segmentation; Antoch and
Huskova, Statistics and Probability Letters 53 (2001), 37-46, for the permutation test of such a statistic.)

Values far from the middle are drawn in first, so that one spoilt run neither makes a change nor hides one. A change
must also be larger than a margin: with many runs the test would find changes that nobody cares for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .statistics import Values, as_values

LEAST_RUNS = 3  # on each side of a change: one odd run, or two, is no new level
ALPHA_CHANGE = 0.01  # of a false change in a series; smaller than for verdicts, as many series are looked at
PERMUTATIONS = 1999  # gives p-values down to 0.0005
REACH_SD = 4.0  # values further from the median, in standard deviations of a run, are drawn in to there
_SEED = 20261129


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A change of level: `index` is the first value of the new level, `shift` the difference of the two medians."""

    index: int
    shift: float
    p: float


def change_points(values: Sequence[float] | Values, margin: float, alpha: float = ALPHA_CHANGE) -> tuple[Split, ...]:
    """The changes of level in a series, in its order. `margin` is the least shift that counts, in the values' unit.

    With fewer than `least_runs` values no change can be shown; then there is none. The shift of each change is that
    between the levels on its two sides, up to the next change.
    """
    series = as_values(values)
    found = _search(series, 0, alpha)
    while True:
        sizes = _shifts(series, sorted(found))
        small = min(sizes, key=lambda index: abs(sizes[index]), default=None)
        if small is None or abs(sizes[small]) > margin:
            return tuple(Split(index=index, shift=sizes[index], p=found[index]) for index in sorted(found))
        del found[small]


def _search(series: Values, offset: int, alpha: float) -> dict[int, float]:
    """Index -> p-value of the changes inside a stretch: the clearest one first, then both sides of it."""
    best = _clearest(series)
    if best is None or best[1] > alpha:
        return {}
    index, p = best
    left, right = _search(series[:index], offset, alpha), _search(series[index:], offset + index, alpha)
    return {**left, offset + index: p, **right}


def _clearest(series: Values) -> tuple[int, float] | None:
    n = int(series.size)
    if n < 2 * LEAST_RUNS:
        return None
    drawn_in = _drawn_in(series)
    differences = _differences(drawn_in[None, :])[0]
    place = int(np.argmax(differences))
    orders = np.random.default_rng([_SEED, n]).permuted(np.tile(drawn_in, (PERMUTATIONS, 1)), axis=1)
    least = differences[place] * (1 - 1e-9)
    beyond = int(np.count_nonzero(_differences(orders).max(axis=1) >= least))
    return place + LEAST_RUNS, (1 + beyond) / (1 + PERMUTATIONS)


def _differences(rows: Values) -> Values:
    """The weighted difference of means at each allowed place; one row a series."""
    n = rows.shape[1]
    k = np.arange(LEAST_RUNS, n - LEAST_RUNS + 1)
    before = np.cumsum(rows, axis=1)[:, k - 1]
    after = rows.sum(axis=1, keepdims=True) - before
    return np.abs(before / k - after / (n - k)) * np.sqrt(k * (n - k) / n)


def _drawn_in(series: Values) -> Values:
    """The values around their median, none further from it than `REACH_SD` standard deviations.

    These are estimated from differences of neighbours, which a change of level does not enlarge; 0.6745 is what the
    median of a normal's absolute values is of its standard deviation. Values that mostly repeat have none: then only
    their side counts.
    """
    centred = series - np.median(series)
    sd = float(np.median(np.abs(np.diff(series)))) / 0.6745 / math.sqrt(2)
    return np.clip(centred, -REACH_SD * sd, REACH_SD * sd) if sd > 0 else np.sign(centred)


def _shifts(series: Values, indices: Sequence[int]) -> dict[int, float]:
    """The difference of the medians on both sides of each change."""
    edges = [0, *indices, int(series.size)]
    levels = [float(np.median(series[start:end])) for start, end in pairwise(edges)]
    return {index: levels[i + 1] - levels[i] for i, index in enumerate(indices)}


def least_runs(alpha: float = ALPHA_CHANGE) -> int:
    """How many runs a series needs before any change in it can be shown.

    Where a change leaves n / 2 runs on each side, chance makes one as clear in 2 of all C(n, n / 2) ways to divide
    them; no other place is better.
    """
    n = 2 * LEAST_RUNS
    while 2 / math.comb(n, n // 2) > alpha:
        n += 1
    return n
