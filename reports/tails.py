"""What one process's samples say beyond their median: spread, tail percentiles, outliers, drift; pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .statistics import normal_cdf

# Fewest iterations with which seeing at most one beyond the percentile has a probability of at most 1 %:
# q^n + n q^(n-1) (1-q) <= 0.01. MLPerf LoadGen's early stopping asks for the same numbers (one overlatency query).
LEAST_ITERATIONS = {90: 64, 95: 130, 99: 662}
DRIFT_P = 0.01
FEW = 30  # values for which the way through numpy takes longer than the sum itself
LEAST_SAMPLES = 20  # below, the order of a process's samples tells nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Outliers:
    """How many samples lie beyond Tukey's fences (1.5 and 3 interquartile ranges). They are counted, never dropped."""

    mild: int
    severe: int
    samples: int


def percentiles(processes: Sequence[NDArray[np.int64]]) -> dict[int, float | None]:
    """Nearest-rank percentiles over all iterations, each process with equal weight; None with too few iterations.

    A process that happened to fit more iterations into its window must not count more, so a sample weighs
    1 / (its process's count). The result is a value that was measured. It describes the iterations seen and assumes
    that they are exchangeable; it carries no interval.
    """
    filled = [samples for samples in processes if samples.size]
    iterations = sum(samples.size for samples in filled)
    if iterations < min(LEAST_ITERATIONS.values()):
        return dict.fromkeys(LEAST_ITERATIONS)
    values = np.concatenate(filled)
    if all(samples.size == filled[0].size for samples in filled):
        values.sort()
        return _of_equal_weight(values, len(filled))
    weights = np.concatenate([np.full(samples.size, 1 / samples.size) for samples in filled])
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    return {
        percent: float(values[order[int(np.argmax(reached >= percent / 100 * len(filled) - 1e-9))]])
        if iterations >= least
        else None
        for percent, least in LEAST_ITERATIONS.items()
    }


def _of_equal_weight(ordered: NDArray[np.int64], processes: int) -> dict[int, float | None]:
    """The percentiles of values that all weigh the same, which is the usual case: a place in their order."""
    per_process = ordered.size // processes
    return {
        percent: float(ordered[math.ceil((percent / 100 * processes - 1e-9) * per_process) - 1])
        if ordered.size >= least
        else None
        for percent, least in LEAST_ITERATIONS.items()
    }


def by_size(processes: Sequence[NDArray[np.int64]]) -> Iterator[tuple[list[int], NDArray[np.float64]]]:
    """The processes with as many samples each as one matrix, a row a process, with their places in the sequence: numpy
    then goes over all at once, which a report of a thousand cells needs. A matrix holds a million values at most, or
    one process."""
    places: dict[int, list[int]] = {}
    for place, samples in enumerate(processes):
        places.setdefault(int(samples.size), []).append(place)
    for size, same in places.items():
        rows = max(1, 1_000_000 // max(1, size))
        for start in range(0, len(same), rows):
            part = same[start : start + rows]
            yield part, np.stack([processes[place] for place in part]).astype(np.float64)


def beyond_fences(rows: NDArray[np.float64]) -> list[tuple[int, int]]:
    """How many values of each row lie beyond Tukey's fences, mildly and severely; none in rows of fewer than 4."""
    if rows.shape[1] < 4:
        return [(0, 0)] * len(rows)
    q1, q3 = np.percentile(rows, [25, 75], axis=1)[:, :, None]
    distance = np.maximum(q1 - rows, rows - q3)
    severe = np.count_nonzero(distance > 3 * (q3 - q1), axis=1)
    mild = np.count_nonzero(distance > 1.5 * (q3 - q1), axis=1) - severe
    return list(zip(mild.tolist(), severe.tolist(), strict=True))


def rank_correlation(values: Sequence[float] | NDArray[np.float64]) -> tuple[float, float]:
    """Spearman's correlation of the values with their order, and its two-sided p by the normal approximation."""
    if len(values) <= FEW and len(set(values)) == len(values):
        return _of_few(values)
    return rank_correlations(np.asarray(values, dtype=np.float64)[None, :])[0]


def _of_few(values: Sequence[float] | NDArray[np.float64]) -> tuple[float, float]:
    """The same of a few values without ties, by the squares of how far each stands from its rank."""
    n = len(values)
    if n < 4:
        return 0.0, 1.0
    order = sorted(range(n), key=lambda place: values[place])
    rho = 1 - 6 * sum((place - rank) ** 2 for rank, place in enumerate(order)) / (n * (n * n - 1))
    return rho, _p_of_rank_correlation(rho, n)


def _p_of_rank_correlation(rho: float, n: int) -> float:
    return min(1.0, 2 * normal_cdf(-abs(rho) * math.sqrt(n - 1)))


def rank_correlations(rows: NDArray[np.float64]) -> list[tuple[float, float]]:
    """`rank_correlation` of each row of a matrix."""
    n = rows.shape[1]
    if n < 4:
        return [(0.0, 1.0)] * len(rows)
    ranks = _mid_ranks(rows)
    ranks -= ranks.mean(axis=1, keepdims=True)
    time = np.arange(n) - (n - 1) / 2
    scale = np.sqrt((ranks * ranks).sum(axis=1) * float(time @ time))
    rhos = np.clip(ranks @ time / np.where(scale == 0, 1, scale), -1, 1).tolist()
    return [(rho, _p_of_rank_correlation(rho, n)) for rho in rhos]


def _mid_ranks(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks within each row; equal values share the mean of their ranks."""
    order = np.argsort(rows, axis=1, kind="stable")
    ordered = np.take_along_axis(rows, order, axis=1)
    places = np.broadcast_to(np.arange(rows.shape[1]), rows.shape)
    ranks = np.empty(rows.shape)
    differs = ordered[:, 1:] != ordered[:, :-1]
    if differs.all():  # no ties: the place in the order is the rank
        np.put_along_axis(ranks, order, places + 1, axis=1)
        return ranks
    edge = np.ones((len(rows), 1), bool)
    first = np.maximum.accumulate(np.where(np.hstack([edge, differs]), places, 0), axis=1)
    last_here = np.where(np.hstack([differs, edge]), places, rows.shape[1])
    last = np.minimum.accumulate(last_here[:, ::-1], axis=1)[:, ::-1]
    np.put_along_axis(ranks, order, (first + last) / 2 + 1, axis=1)
    return ranks
