"""Two runs of one thing on one board: is the later one slower? Tests of independent processes, not of pairs; pure.

The processes of two runs have no blocks in common, so nothing pairs them. Times are compared as logarithms of process
medians by Welch's test, which allows the two runs different spreads (Welch, Biometrika 34 (1947), 28-35; degrees of
freedom by Satterthwaite, Biometrics Bulletin 2 (1946), 110-114, rounded down, which only widens the interval).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .statistics import ALPHA, as_values, student_cdf, student_quantile

LEAST_EACH = 2  # processes of a run; one has no spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Welch:
    """The shift of the mean from the earlier values to the later ones, its standard error and degrees of freedom."""

    shift: float
    error: float
    freedom: int

    def p_below(self, bound: float) -> float:
        """One-sided p-value that the shift lies below `bound`."""
        if self.error == 0:
            return 0.0 if self.shift < bound else 1.0
        return student_cdf((self.shift - bound) / self.error, self.freedom)

    def p_above(self, bound: float) -> float:
        """One-sided p-value that the shift lies above `bound`."""
        if self.error == 0:
            return 0.0 if self.shift > bound else 1.0
        return student_cdf((bound - self.shift) / self.error, self.freedom)

    def interval(self, alpha: float = ALPHA) -> tuple[float, float]:
        """The two-sided interval of the shift."""
        half = self.error * student_quantile(1 - alpha / 2, self.freedom)
        return self.shift - half, self.shift + half


def welch(earlier: Sequence[float], later: Sequence[float]) -> Welch | None:
    """Welch's test of two independent samples; None where one of them has fewer than two values."""
    if min(len(earlier), len(later)) < LEAST_EACH:
        return None
    a, b = as_values(earlier), as_values(later)
    parts = [float(np.var(sample, ddof=1)) / sample.size for sample in (a, b)]
    shift = float(np.mean(b) - np.mean(a))
    total = sum(parts)
    if total <= (1e-12 * max(1.0, abs(shift))) ** 2:  # nothing but rounding
        return Welch(shift=shift, error=0.0, freedom=a.size + b.size - 2)
    spread = parts[0] ** 2 / (a.size - 1) + parts[1] ** 2 / (b.size - 1)
    return Welch(shift=shift, error=math.sqrt(total), freedom=max(1, math.floor(total**2 / spread)))
