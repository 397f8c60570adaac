"""What is wrong with a trace: lost samples, silence, stale values, clocks that jump, a range that ends. Pure.

Every fault is a sentence and makes the energy invalid; latency and everything else is not touched by it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .channel import Channel, ClockDomain, Sampling
from .meter import Times, Trace, Values

MOST_DROPS = 0.001
_SILENT_INTERVALS = 20.0
_SILENT_S = 0.5
_JUMP_INTERVALS = 5.0
_LOST_INTERVALS = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """A look at the samples around a window: how many there are, how many are lost, what is wrong (empty = nothing)."""

    samples: int
    drops: int
    faults: tuple[str, ...]


def inspect(trace: Trace, start_ns: int, end_ns: int) -> Quality:
    """Judge the samples from `start_ns` to `end_ns` of the trace's own clock."""
    ended = f" ({trace.error})" if trace.error else ""
    if len(trace.time_ns) < 2:
        return Quality(samples=len(trace.time_ns), drops=0, faults=(f"the meter gave no samples{ended}",))
    steps_ns = np.diff(trace.time_ns)
    if (steps_ns <= 0).any():
        back_s = -int(steps_ns.min()) / 1e9
        fault = f"the meter's time went back by {back_s:.3g} s" if back_s else "the meter gave one time twice"
        return Quality(samples=len(trace.time_ns), drops=0, faults=(fault,))
    inside = _around(trace.time_ns, start_ns, end_ns)
    times, values = trace.time_ns[inside], trace.values[inside]
    sequence = None if trace.sequence is None else trace.sequence[inside]
    drops, faults = _timing(trace.channel, times, sequence)
    faults = [
        *(fault + ended for fault in _ends(times, start_ns, end_ns)),
        *faults,
        *_values(trace.channel, times, values),
    ]
    return Quality(samples=len(times), drops=drops, faults=tuple(faults))


def _around(times: Times, start_ns: int, end_ns: int) -> slice:
    """The samples of a span with the one before and the one after, between which its edges are interpolated."""
    first = int(np.searchsorted(times, start_ns, side="right")) - 1
    last = int(np.searchsorted(times, end_ns, side="left")) + 1
    return slice(max(0, first), last)


def _ends(times: Times, start_ns: int, end_ns: int) -> list[str]:
    if len(times) == 0:
        return ["the meter gave no samples in the window"]
    found: list[str] = []
    if times[0] > start_ns:
        found.append(f"the meter began {(int(times[0]) - start_ns) / 1e9:.3g} s late")
    if times[-1] < end_ns:
        found.append(f"the meter fell silent {(end_ns - int(times[-1])) / 1e9:.3g} s before the end")
    return found


def _timing(channel: Channel, times: Times, sequence: Times | None) -> tuple[int, list[str]]:
    """(samples lost, faults) by the meter's counter where it has one, else by gaps in its times."""
    if len(times) < 3:
        return 0, []
    steps_ns = np.diff(times)
    usual_ns = float(np.median(steps_ns))
    counted = np.ones(len(steps_ns), np.int64) if sequence is None else np.diff(sequence)
    if (counted <= 0).any():
        return 0, ["the meter's sample counter went back"]
    faults = _silences(channel, steps_ns, counted, usual_ns, counts=sequence is not None)
    if sequence is not None:
        drops = int(counted.sum()) - len(steps_ns)
    else:
        gaps = steps_ns[steps_ns > _LOST_INTERVALS * usual_ns]
        drops = int(np.round(gaps / usual_ns).sum()) - len(gaps)
    # An accumulating meter goes on counting while nobody reads it: a reading that is lost loses no energy.
    if channel.sampling is Sampling.INSTANTANEOUS and drops > MOST_DROPS * (len(times) + drops):
        faults.append(f"the meter lost {drops} of {len(times) + drops} samples (at most 0.1 % may be lost)")
    return drops, faults


def _silences(channel: Channel, steps_ns: Times, counted: Times, usual_ns: float, *, counts: bool) -> list[str]:
    at = int(np.argmax(steps_ns - counted * usual_ns))
    longest_ns, numbers = int(steps_ns[at]), int(counted[at])
    # Its own clock and its own counter of a meter run together; a poll of ours may be late without a fault.
    if counts and channel.clock is ClockDomain.METER and longest_ns > _JUMP_INTERVALS * usual_ns * numbers:
        return [f"the meter's time jumped ahead by {(longest_ns - usual_ns * numbers) / 1e9:.3g} s"]
    if longest_ns > max(_SILENT_INTERVALS * usual_ns, _SILENT_S * 1e9):
        return [f"the meter gave nothing for {longest_ns / 1e9:.3g} s"]
    return []


def _values(channel: Channel, times: Times, values: Values) -> list[str]:
    if not np.isfinite(values).all():
        return ["the meter gave a value that is no number"]
    found: list[str] = []
    repeated_s, value = _longest_repeat(times, values)
    if repeated_s > channel.stale_after_s:
        found.append(f"the meter repeated the value {value:.6g} {channel.unit} for {repeated_s:.3g} s")
    if channel.max_w is not None and channel.sampling is Sampling.INSTANTANEOUS:
        full = int((values >= channel.max_w).sum())
        if full:
            found.append(f"the meter was at the end of its range ({channel.max_w:.4g} W) in {full} samples")
    if channel.sampling is Sampling.ACCUMULATING and channel.wrap is None and (np.diff(values) < 0).any():
        found.append("the meter's energy counter went back")
    return found


def _longest_repeat(times: Times, values: Values) -> tuple[float, float]:
    """(seconds, value) of the longest run of one and the same value."""
    if len(values) < 2:
        return 0.0, float("nan")
    begins: NDArray[np.int64] = np.concatenate(([0], np.flatnonzero(np.diff(values)) + 1))
    ends = np.concatenate((begins[1:] - 1, [len(values) - 1]))
    lengths = times[ends] - times[begins]
    at = int(np.argmax(lengths))
    return float(lengths[at]) / 1e9, float(values[begins[at]])
