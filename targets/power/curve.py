"""The mean power between two times of a trace, and how well that mean is known. Pure.

Instantaneous samples are joined by straight lines over the meter's own times (trapezoid, edges interpolated), never
summed as rectangles of an assumed rate. Of a counter only the readings at which it moved are used: between them it says
nothing, however often it is read.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .channel import Sampling
from .meter import Times, Trace, Values

_MOST_BATCHES = 20
_FEWEST_BATCHES = 4
_SAMPLES_PER_BATCH = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanPower:
    """A mean in watts over `seconds`, with the standard uncertainty of that mean from noise and sampling alone."""

    watts: float
    uncertainty_w: float
    seconds: float


def mean_power(trace: Trace, start_ns: float, end_ns: float, *, period_s: float | None = None) -> MeanPower | None:
    """The mean from `start_ns` to `end_ns` of the trace's clock; None where there are too few samples in between.

    `period_s` is that of a load that repeats, such as an inference: its own ups and downs are then not taken for noise.
    """
    if end_ns <= start_ns:
        return None
    if trace.channel.sampling is Sampling.ACCUMULATING:
        return _mean_of_counter(trace, start_ns, end_ns)
    times, watts = _with_edges(trace.time_ns, trace.values, start_ns, end_ns)
    if len(times) - 2 < _FEWEST_BATCHES:
        return None
    seconds = times / 1e9
    joules = np.concatenate(([0.0], np.cumsum((watts[1:] + watts[:-1]) / 2 * np.diff(seconds))))
    duration_s = float(seconds[-1])
    return MeanPower(
        watts=float(joules[-1]) / duration_s,
        uncertainty_w=_standard_error(seconds, joules, len(times) - 2, period_s),
        seconds=duration_s,
    )


def edge_to_edge_w(trace: Trace, start_ns: float, end_ns: float) -> float | None:
    """The mean with both edges interpolated, for counters too: the cross-check of the plateau, not the figure."""
    if trace.channel.sampling is Sampling.INSTANTANEOUS:
        mean = mean_power(trace, start_ns, end_ns)
        return None if mean is None else mean.watts
    times, joules = _knots(trace)
    if len(times) < 2 or times[0] > start_ns or times[-1] < end_ns:
        return None
    begin_j, end_j = np.interp([start_ns, end_ns], times, joules)
    return float(end_j - begin_j) / (end_ns - start_ns) * 1e9


def _with_edges(times: Times, values: Values, start_ns: float, end_ns: float) -> tuple[Values, Values]:
    """Times since the start and values of a span, both edges added by interpolation."""
    first = int(np.searchsorted(times, start_ns, side="right"))
    last = int(np.searchsorted(times, end_ns, side="left"))
    around = slice(max(0, first - 1), last + 1)
    near = (times[around] - start_ns).astype(np.float64)
    edges = np.interp([0.0, end_ns - start_ns], near, values[around])
    inner = (times[first:last] - start_ns).astype(np.float64)
    return (
        np.concatenate(([0.0], inner, [end_ns - start_ns])),
        np.concatenate((edges[:1], values[first:last], edges[1:])),
    )


def _standard_error(seconds: Values, joules: Values, samples: int, period_s: float | None) -> float:
    """By the means of batches, which hold for noise that is correlated in time and for a load that repeats.

    A batch is a whole number of periods, where there are enough of them.
    """
    duration_s = float(seconds[-1])
    batches = int(np.clip(samples // _SAMPLES_PER_BATCH, _FEWEST_BATCHES, _MOST_BATCHES))
    periods = round(duration_s / period_s) if period_s else 0
    if periods >= _FEWEST_BATCHES:
        batches = min(batches, periods)
        marks = np.round(np.linspace(0, periods, batches + 1)) * (duration_s / periods)
    else:
        marks = np.linspace(0.0, duration_s, batches + 1)
    return widened_standard_error(np.diff(np.interp(marks, seconds, joules)) / np.diff(marks))


def widened_standard_error(values: Values) -> float:
    """The standard error of a mean of n values, times sqrt((n-1)/(n-3)): the standard deviation of Student's t.

    n must be at least 4 (GUM Supplement 1, 6.4.9.4).
    """
    n = len(values)
    return float(np.std(values, ddof=1)) / n**0.5 * ((n - 1) / (n - 3)) ** 0.5


def _mean_of_counter(trace: Trace, start_ns: float, end_ns: float) -> MeanPower | None:
    times, joules = _knots(trace)
    inside = (times >= start_ns) & (times <= end_ns)
    times, joules = times[inside], joules[inside]
    if len(times) < 2:
        return None
    seconds = float(times[-1] - times[0]) / 1e9
    watts = float(joules[-1] - joules[0]) / seconds
    # A step was seen by the first reading after it: its time is known to within one interval between readings.
    poll_s = float(np.median(np.diff(trace.time_ns))) / 1e9
    at_each_end_j = np.hypot(trace.channel.accuracy.resolution, watts * poll_s) / 12**0.5
    return MeanPower(watts=watts, uncertainty_w=float(at_each_end_j) * 2**0.5 / seconds, seconds=seconds)


def _knots(trace: Trace) -> tuple[Times, Values]:
    """The readings at which the counter had moved, wrapping undone."""
    values = trace.values
    steps = np.diff(values)
    if trace.channel.wrap is not None:
        steps = np.where(steps < 0, steps + trace.channel.wrap, steps)
    joules = np.concatenate(([0.0], np.cumsum(steps)))
    moved = np.concatenate(([False], steps != 0))
    return trace.time_ns[moved], joules[moved]
