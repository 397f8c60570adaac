"""What one process's samples say beyond their median: spread, tail percentiles, outliers, drift; pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .statistics import normal_cdf

# Fewest iterations with which seeing at most one beyond the percentile has a probability of at most 1 %:
# q^n + n q^(n-1) (1-q) <= 0.01. MLPerf LoadGen's early stopping asks for the same numbers (one overlatency query).
LEAST_ITERATIONS = {90: 64, 95: 130, 99: 662}
DRIFT_P = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Outliers:
    """How many samples lie beyond Tukey's fences (1.5 and 3 interquartile ranges). They are counted, never dropped."""

    mild: int
    severe: int
    samples: int


def percentile(processes: Sequence[NDArray[np.int64]], percent: int) -> float | None:
    """Nearest-rank percentile over all iterations, each process with equal weight; None with too few iterations.

    A process that happened to fit more iterations into its window must not count more, so a sample weighs
    1 / (its process's count). The result is a value that was measured. It describes the iterations seen and assumes
    that they are exchangeable; it carries no interval.
    """
    filled = [samples for samples in processes if samples.size]
    if sum(samples.size for samples in filled) < LEAST_ITERATIONS[percent]:
        return None
    values = np.concatenate(filled)
    weights = np.concatenate([np.full(samples.size, 1 / samples.size) for samples in filled])
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order]) >= percent / 100 * len(filled) - 1e-9
    return float(values[order][int(np.argmax(reached))])


def count_outliers(processes: Sequence[NDArray[np.int64]]) -> Outliers:
    """Outliers of each process against its own quartiles, added up."""
    mild = severe = total = 0
    for samples in processes:
        if samples.size < 4:
            continue
        q1, q3 = np.percentile(samples, [25, 75])
        distance = np.maximum(q1 - samples, samples - q3)
        severe_here = int(np.count_nonzero(distance > 3 * (q3 - q1)))
        severe += severe_here
        mild += int(np.count_nonzero(distance > 1.5 * (q3 - q1))) - severe_here
        total += samples.size
    return Outliers(mild=mild, severe=severe, samples=total)


def rank_correlation(values: Sequence[float] | NDArray[np.float64]) -> tuple[float, float]:
    """Spearman's correlation of the values with their order, and its two-sided p by the normal approximation."""
    ranks = _mid_ranks(np.asarray(values, dtype=np.float64))
    n = ranks.size
    if n < 4 or np.all(ranks == ranks[0]):
        return 0.0, 1.0
    rho = float(np.corrcoef(np.arange(n), ranks)[0, 1])
    return rho, min(1.0, 2 * normal_cdf(-abs(rho) * math.sqrt(n - 1)))


def _mid_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[inverse].astype(np.float64)


def drift_within(processes: Sequence[NDArray[np.int64]]) -> float | None:
    """Typical change from the first to the last quarter of a process, as a fraction; None if there is no clear trend.

    A trend is clear when more than half of the processes show one of the same sign at p < 0.01: a single process's
    test is too easily fooled by autocorrelation.
    """
    changes: list[float] = []
    trends = 0
    for samples in processes:
        if samples.size < 20:
            continue
        quarter = samples.size // 4
        first, last = float(np.median(samples[:quarter])), float(np.median(samples[-quarter:]))
        changes.append(last / first - 1 if first else 0.0)
        rho, p = rank_correlation(samples.astype(np.float64))
        trends += int(math.copysign(1, rho)) if p < DRIFT_P else 0
    if not changes or abs(trends) * 2 <= len(changes):
        return None
    return float(np.median(changes))
