"""What the samples of one process look like in their order: spread, dependence, slope; pure.

None of it enters a figure. It tells how far the samples are from independent repeats, which is why they are not used
as such, and whether the warm-up was long enough.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .tails import DRIFT_P, LEAST_SAMPLES, by_size, rank_correlations


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessShape:
    """One process's samples. `mad_ns` is the median absolute deviation from their median, without any factor; `cv` is
    the standard deviation over the mean, None for a single sample.

    `lag1` is the correlation of neighbours (None for constants), `slope` Spearman's correlation of a sample's place
    with its time, `slope_p` its p-value; both None below 20 samples.
    """

    median_ns: float
    mad_ns: float
    cv: float | None
    lag1: float | None
    slope: float | None
    slope_p: float | None

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
    medians, means = np.median(samples, axis=1), samples.mean(axis=1)
    mads = np.median(np.abs(samples - medians[:, None]), axis=1).tolist()
    spreads = samples.std(axis=1, ddof=1).tolist() if size > 1 else [None] * len(samples)
    slopes = rank_correlations(samples) if size >= LEAST_SAMPLES else [(None, None)] * len(samples)
    for row, (median, mean) in enumerate(zip(medians.tolist(), means.tolist(), strict=True)):
        spread = spreads[row]
        yield ProcessShape(
            median_ns=median,
            mad_ns=mads[row],
            cv=None if spread is None or mean == 0 else spread / mean,
            lag1=lag1_autocorrelation(samples[row]) if size >= LEAST_SAMPLES else None,
            slope=slopes[row][0],
            slope_p=slopes[row][1],
        )


def lag1_autocorrelation(values: NDArray[np.float64]) -> float | None:
    """Correlation of each value with the next one, about the mean of all; None where all are equal."""
    centred = values - values.mean()
    total = float(centred @ centred)
    return None if total == 0.0 else float(centred[1:] @ centred[:-1]) / total


def typical_lag1(shapes: Sequence[ProcessShape]) -> float | None:
    """The median over processes; None where none has one."""
    known = [one.lag1 for one in shapes if one.lag1 is not None]
    return float(np.median(known)) if known else None
