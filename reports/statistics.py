"""Estimates and exact intervals over processes; pure.

The unit of replication is one fresh process. Everything here takes one value per process (or one paired difference per
block), never pooled iterations: those share their process's memory layout and the board's state of that minute, so an
interval over them is far too narrow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

ALPHA = 0.05
EXACT_UP_TO = 60  # above, the signed-rank distribution is normal to four digits


@dataclass(frozen=True, slots=True)
class Estimate:
    """A point with its two-sided interval; the bounds are None where so few values allow none of that confidence."""

    value: float
    low: float | None
    high: float | None
    n: int


def as_values(values: Sequence[float] | Values) -> Values:
    """The values as a flat float64 array; raises ValueError on none at all or on one that is not finite."""
    array = np.asarray(values, dtype=np.float64).ravel()
    if array.size == 0 or not np.isfinite(array).all():
        raise ValueError("statistics need at least one value, all of them finite")
    return array


def median_estimate(values: Sequence[float] | Values, alpha: float = ALPHA) -> Estimate:
    """Median of one value per process, with the interval that inverts the exact sign test.

    The bounds are order statistics, so they assume neither normality nor symmetry. Below 6 values no 95 % interval
    exists. (Conover, Practical Nonparametric Statistics, section 3.2.)
    """
    ordered = np.sort(as_values(values))
    n = int(ordered.size)
    tail, outside = 0.0, -1
    for k in range(n // 2):
        tail += math.comb(n, k) / 2**n
        if tail > alpha / 2:
            break
        outside = k
    centre = float(ordered[(n - 1) // 2] + ordered[n // 2]) / 2
    if outside < 0:
        return Estimate(centre, None, None, n)
    return Estimate(centre, float(ordered[outside]), float(ordered[n - 1 - outside]), n)


@dataclass(frozen=True, slots=True, eq=False)
class SignedRank:
    """Wilcoxon's signed-rank test of one set of paired differences against any bound, and its inversion.

    `walsh` are the means of all pairs of differences (each also with itself), sorted. A rank sum is a count of Walsh
    averages beyond the bound, ties with it against the claim: so test and interval always agree.
    """

    walsh: Values
    n: int

    def p_below(self, bound: float) -> float:
        """One-sided p-value that the shift lies below `bound`."""
        return signed_rank_cdf(self.walsh.size - int(self.walsh.searchsorted(bound, "left")), self.n)

    def p_above(self, bound: float) -> float:
        """One-sided p-value that the shift lies above `bound`."""
        return signed_rank_cdf(int(self.walsh.searchsorted(bound, "right")), self.n)

    def p_anywhere(self) -> float:
        """Two-sided p-value that there is a shift at all."""
        return min(1.0, 2 * min(self.p_below(0.0), self.p_above(0.0)))

    def estimate(self, alpha: float = ALPHA) -> Estimate:
        """The Hodges-Lehmann estimate with the interval that the test does not reject."""
        k, middle = largest_rank_sum_within(self.n, alpha / 2), self.walsh.size // 2
        centre = float(self.walsh[middle] + self.walsh[-1 - middle]) / 2
        if k < 0:
            return Estimate(centre, None, None, self.n)
        return Estimate(centre, float(self.walsh[k]), float(self.walsh[-1 - k]), self.n)


def signed_rank(differences: Sequence[float] | Values) -> SignedRank:
    """The test of paired differences. Raises ValueError on none at all or on one that is not finite.

    (Hollander and Wolfe, Nonparametric Statistical Methods, sections 3.1 to 3.3.)
    """
    d = as_values(differences)
    i, j = _pairs(d.size)
    return SignedRank(np.sort((d[i] + d[j]) / 2), int(d.size))


@cache
def _pairs(n: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    return np.triu_indices(n)


def shift_estimate(differences: Sequence[float] | Values, alpha: float = ALPHA) -> Estimate:
    """Hodges-Lehmann estimate of a shift with the interval that inverts the Wilcoxon signed-rank test.

    Exact up to 60 differences (ties only widen it). Below 6 differences no 95 % interval exists.
    """
    return signed_rank(differences).estimate(alpha)


@cache
def _rank_sum_cdf(n: int) -> Values:
    """P(T <= t) of the signed-rank sum T for t = 0 .. n(n+1)/2: the ranks join the sum by n fair coins."""
    p = np.zeros(n * (n + 1) // 2 + 1)
    p[0] = 1.0
    for rank in range(1, n + 1):
        p[rank:] = (p[rank:] + p[:-rank]) / 2
        p[:rank] /= 2
    return np.cumsum(p)


def signed_rank_cdf(rank_sum: int, n: int) -> float:
    """P(T <= rank_sum) of the Wilcoxon signed-rank sum of n differences under no shift."""
    top = n * (n + 1) // 2
    if rank_sum < 0 or rank_sum >= top:
        return 0.0 if rank_sum < 0 else 1.0
    if n <= EXACT_UP_TO:
        return float(_rank_sum_cdf(n)[rank_sum])
    sd = math.sqrt(n * (n + 1) * (2 * n + 1) / 24)
    return normal_cdf((rank_sum + 0.5 - top / 2) / sd)


@cache
def largest_rank_sum_within(n: int, tail: float) -> int:
    """The largest t with P(T <= t) <= tail, or -1."""
    low, high = -1, n * (n + 1) // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if signed_rank_cdf(middle, n) <= tail else (low, middle)
    return low


def blocks_needed(comparisons: int, alpha: float = ALPHA) -> int:
    """Fewest blocks with which the signed-rank test can reject at all after Holm: its least p is 2^(1-n)."""
    return math.ceil(1 + math.log2(max(1, comparisons) / alpha))


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Holm's step-down adjusted p-values by key; each may be compared with alpha itself. (Holm 1979.)"""
    adjusted: dict[str, float] = {}
    running = 0.0
    for rank, (key, p) in enumerate(sorted(p_values.items(), key=lambda item: (item[1], item[0]))):
        running = max(running, min(1.0, (len(p_values) - rank) * p))
        adjusted[key] = running
    return {key: adjusted[key] for key in p_values}


def benjamini_hochberg(p_values: Mapping[str, float]) -> dict[str, float]:
    """Adjusted p-values by key that bound the share of false finds, not the chance of any: for exploration only.

    Valid for independent tests and for those that depend positively, as comparisons with a common baseline do.
    (Benjamini and Hochberg 1995; Benjamini and Yekutieli 2001.)
    """
    adjusted: dict[str, float] = {}
    smallest, count = 1.0, len(p_values)
    ranked = sorted(p_values.items(), key=lambda item: (item[1], item[0]), reverse=True)
    for place, (key, p) in enumerate(ranked):
        smallest = min(smallest, p * count / (count - place))
        adjusted[key] = smallest
    return {key: adjusted[key] for key in p_values}


def coefficient_of_variation(values: Sequence[float] | Values) -> float | None:
    """Sample standard deviation over the mean; None for fewer than two values or a mean of zero."""
    v = as_values(values)
    mean = float(v.sum()) / v.size
    if v.size < 2 or mean == 0:
        return None
    away = v - mean
    return math.sqrt(float((away * away).sum()) / (v.size - 1)) / mean


def wilson_interval(fraction: float, n: int, alpha: float = ALPHA) -> tuple[float, float]:
    """Wilson's score interval of a proportion seen in n independent inputs. (Wilson 1927.)"""
    z = normal_quantile(1 - alpha / 2)
    centre = (fraction + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(fraction * (1 - fraction) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def normal_cdf(z: float) -> float:
    """Standard normal distribution function."""
    return 0.5 * math.erfc(-z / math.sqrt(2))


@cache
def normal_quantile(p: float) -> float:
    """Inverse of `normal_cdf` by bisection, to 1e-12."""
    return _bisect(lambda z: normal_cdf(z) < p, -40.0, 40.0)


def student_cdf(t: float, freedom: int) -> float:
    """Student's t distribution function for whole degrees of freedom, by its finite series.

    (Abramowitz and Stegun, 26.7.3 and 26.7.4.)
    """
    theta = math.atan2(t, math.sqrt(freedom))
    sine, cosine = math.sin(theta), math.cos(theta)
    odd = freedom % 2 == 1
    term = cosine if odd else 1.0
    total = 0.0
    for k in range((freedom - 1) // 2 if odd else freedom // 2):
        total += term
        term *= cosine**2 * ((2 * k + 2) / (2 * k + 3) if odd else (2 * k + 1) / (2 * k + 2))
    central = 2 / math.pi * (theta + sine * total) if odd else sine * total
    return 0.5 + central / 2


@cache
def student_quantile(p: float, freedom: int) -> float:
    """Inverse of `student_cdf` by bisection."""
    return _bisect(lambda t: student_cdf(t, freedom) < p, -1e4, 1e4)


def _bisect(below: Callable[[float], bool], low: float, high: float) -> float:
    for _ in range(120):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) else (low, middle)
    return (low + high) / 2
