"""What a number of blocks can show: the least effect that the verdicts' own test detects; pure.

It is that of the exact signed-rank test, not of a t-test: with six blocks that test rejects only when all differences
have one sign, and so needs an effect a quarter larger than a t-test would.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from .statistics import ALPHA, Values, as_values, largest_rank_sum_within, normal_quantile, student_quantile

Indices = NDArray[np.intp]

POWER = 0.80
SIMULATED_SETS = 10_000
SIMULATED_UP_TO = 24  # above, the normal approximation is within 2 % of the simulation
_CHUNK = 2_000


def least_detectable_shift(differences: Sequence[float] | Values, alpha: float = ALPHA) -> float | None:
    """Shift that this many paired differences with this spread would show in 80 % of repeats.

    In the unit of the differences. None below 3 of them, and where so few can reject nothing at `alpha`. With several
    comparisons give `alpha` divided by their number: what Holm's method asks of the first of them.
    """
    d = as_values(differences)
    if d.size < 3:
        return None
    factor = detectable_in_sd(int(d.size), alpha)
    return None if factor is None else factor * float(np.std(d, ddof=1))


def processes_for(relative_sd: float, precision: float = 0.01, alpha: float = ALPHA) -> int:
    """Processes after which a mean would be known to ± `precision` of itself, if they scatter by `relative_sd`."""
    for n in range(2, 31):
        if student_quantile(1 - alpha / 2, n - 1) * relative_sd <= precision * math.sqrt(n):
            return n
    return math.ceil((normal_quantile(1 - alpha / 2) * relative_sd / precision) ** 2)


@cache
def detectable_in_sd(n: int, alpha: float = ALPHA) -> float | None:
    """The same in units of the standard deviation of one difference; None where n differences can reject nothing.

    Normal differences are assumed. A set z shows a shift s exactly when s exceeds minus the lower limit of z's own
    interval, so the wanted shift is the 80 % quantile of that over simulated sets: no search is needed.
    """
    k = largest_rank_sum_within(n, alpha / 2)
    if k < 0:
        return None
    if n > SIMULATED_UP_TO:
        efficiency = 3 / math.pi  # of the signed-rank test under normal noise
        quantiles = student_quantile(1 - alpha / 2, n - 1) + student_quantile(POWER, n - 1)
        return quantiles / math.sqrt(efficiency * n)
    # The old generator on purpose: its numbers never change, so a report of old data stays the same to the letter.
    random = np.random.RandomState(n)
    i, j = np.triu_indices(n)
    limits = np.concatenate(
        [_kth(random.standard_normal((_CHUNK, n)), i, j, k) for _ in range(SIMULATED_SETS // _CHUNK)]
    )
    return float(np.quantile(-limits, POWER))


def _kth(sets: Values, i: Indices, j: Indices, k: int) -> Values:
    return np.partition((sets[:, i] + sets[:, j]) / 2, k, axis=1)[:, k]
