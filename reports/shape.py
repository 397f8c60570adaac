"""What the samples of one process look like in their order: spread, dependence, slope; pure.

None of it enters a figure. It tells how far the samples are from independent repeats, which is why they are not used
as such, and whether the warm-up was long enough.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median  # of few values; numpy takes ten times as long for those

import numpy as np
from numpy.typing import NDArray

from .tails import DRIFT_P, LEAST_SAMPLES, Outliers, beyond_fences, by_size, rank_correlations


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessShape:
    """One process's samples. `mad_ns` is the median absolute deviation from their median, without any factor; `cv` is
    the standard deviation over the mean, None for a single sample.

    `mild` and `severe` count its outliers, `change` is that from its first to its last quarter, as a fraction.
    `lag1` is the correlation of neighbours (None for constants), `slope` Spearman's correlation of a sample's place
    with its time, `slope_p` its p-value; all None below 20 samples.
    """

    median_ns: float
    mad_ns: float
    cv: float | None
    lag1: float | None
    slope: float | None
    slope_p: float | None
    change: float | None
    size: int
    mild: int
    severe: int

    @property
    def sloped(self) -> bool:
        """Whether time still changed along the process (p < 0.01). Dependent samples cause this too, now and then."""
        return self.slope_p is not None and self.slope_p < DRIFT_P


def shape(samples: NDArray[np.int64]) -> ProcessShape:
    """Describe the samples of one process in their order; there must be one at least."""
    return shapes([samples])[0]


def shapes(processes: Sequence[NDArray[np.int64]]) -> list[ProcessShape]:
    """`shape` of each process, in their order."""
    found: dict[int, ProcessShape] = {}
    for places, samples in by_size(processes):
        found.update(zip(places, _of_one_size(samples), strict=True))
    return [found[place] for place in range(len(processes))]


def _of_one_size(samples: NDArray[np.float64]) -> Iterator[ProcessShape]:
    """The shapes of a matrix's rows."""
    size = samples.shape[1]
    enough, none = size >= LEAST_SAMPLES, [None] * len(samples)
    medians, means = np.median(samples, axis=1), samples.mean(axis=1)
    mads = np.median(np.abs(samples - medians[:, None]), axis=1).tolist()
    spreads = samples.std(axis=1, ddof=1).tolist() if size > 1 else none
    slopes = rank_correlations(samples) if enough else [(None, None)] * len(samples)
    lags, changes = (lag1_autocorrelations(samples), _changes(samples)) if enough else (none, none)
    outliers = beyond_fences(samples)
    for row, (middle, mean) in enumerate(zip(medians.tolist(), means.tolist(), strict=True)):
        spread = spreads[row]
        yield ProcessShape(
            median_ns=middle,
            mad_ns=mads[row],
            cv=None if spread is None or mean == 0 else spread / mean,
            lag1=lags[row],
            slope=slopes[row][0],
            slope_p=slopes[row][1],
            change=changes[row],
            size=size,
            mild=outliers[row][0],
            severe=outliers[row][1],
        )


def lag1_autocorrelations(rows: NDArray[np.float64]) -> list[float | None]:
    """For each row the correlation of each value with the next one, about the mean of all; None where all are equal."""
    centred = rows - rows.mean(axis=1, keepdims=True)
    totals = (centred * centred).sum(axis=1).tolist()
    shared = (centred[:, 1:] * centred[:, :-1]).sum(axis=1).tolist()
    return [None if total == 0.0 else both / total for both, total in zip(shared, totals, strict=True)]


def _changes(rows: NDArray[np.float64]) -> list[float]:
    """How far the median of each row's last quarter lies from that of its first, as a fraction."""
    quarter = rows.shape[1] // 4
    first, last = np.median(rows[:, :quarter], axis=1).tolist(), np.median(rows[:, -quarter:], axis=1).tolist()
    return [b / a - 1 if a else 0.0 for a, b in zip(first, last, strict=True)]


def outliers(processes: Sequence[ProcessShape]) -> Outliers:
    """Outliers of each process against its own quartiles, added up; a process of fewer than 4 samples has none."""
    judged = [one for one in processes if one.size >= 4]
    return Outliers(
        mild=sum(one.mild for one in judged),
        severe=sum(one.severe for one in judged),
        samples=sum(one.size for one in judged),
    )


def drift_within(processes: Sequence[ProcessShape]) -> float | None:
    """Typical change from the first to the last quarter of a process, as a fraction; None if there is no clear trend.

    A trend is clear when more than half of the processes show one of the same sign at p < 0.01: a single process's
    test is too easily fooled by autocorrelation.
    """
    changes = [one.change for one in processes if one.change is not None]
    trends = sum(int(math.copysign(1, one.slope)) for one in processes if one.sloped and one.slope is not None)
    if not changes or abs(trends) * 2 <= len(changes):
        return None
    return float(median(changes))


def typical_lag1(shapes: Sequence[ProcessShape]) -> float | None:
    """The median over processes; None where none has one."""
    known = [one.lag1 for one in shapes if one.lag1 is not None]
    return float(median(known)) if known else None
