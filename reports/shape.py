"""What the samples of one process look like in their order: spread, dependence, slope; pure.

None of it enters a figure. It tells how far the samples are from independent repeats, which is why they are not used
as such, and whether the warm-up was long enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .tails import DRIFT_P, rank_correlation

LEAST_SAMPLES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessShape:
    """One process's samples. `mad_ns` is the median absolute deviation from their median, without any factor.

    `lag1` is the correlation of neighbours (None for constants), `slope` Spearman's correlation of a sample's place
    with its time, `slope_p` its p-value; both None below 20 samples.
    """

    median_ns: float
    mad_ns: float
    lag1: float | None
    slope: float | None
    slope_p: float | None

    @property
    def sloped(self) -> bool:
        """Whether time still changed along the process (p < 0.01). Dependent samples cause this too, now and then."""
        return self.slope_p is not None and self.slope_p < DRIFT_P


def shape(samples: NDArray[np.int64]) -> ProcessShape:
    """Describe the samples of one process in their order; there must be one at least."""
    values = samples.astype(np.float64)
    median = float(np.median(values))
    enough = values.size >= LEAST_SAMPLES
    rho, p = rank_correlation(values) if enough else (None, None)
    return ProcessShape(
        median_ns=median,
        mad_ns=float(np.median(np.abs(values - median))),
        lag1=lag1_autocorrelation(values) if enough else None,
        slope=rho,
        slope_p=p,
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
