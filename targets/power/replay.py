"""A trace that was recorded before, as a meter: for tests, and for power that another tool wrote to a file.

    meters:
      - {kind: replay, file: traces/jetson.csv, accuracy: {gain: 0.01, offset_w: 0.02}}

One line a sample, `time_s,power_w` or the JSON that a `command` meter prints; times by the board's monotonic clock.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..agent.power_text import parse_sample_line
from .channel import Accuracy, Channel, ClockDomain, MeterClass, Sampling, Scope
from .meter import MeterError, Trace


def read_trace(file: Path) -> tuple[list[int], list[float]]:
    """(times in ns, watts) of a file. Raises MeterError with file and line."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise MeterError(f"{file}: {error.strerror}") from error
    times: list[int] = []
    watts: list[float] = []
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            found = parse_sample_line(line)
        except ValueError as error:
            raise MeterError(f"{file}:{number}: {error}") from error
        if found is None:
            continue
        if found[0] is None:
            raise MeterError(f"{file}:{number}: a recorded sample needs its time: `time_s,power_w`")
        times.append(round(found[0] * 1e9))
        watts.append(found[1])
    if len(times) < 2:
        raise MeterError(f"{file}: a trace needs at least two samples, this file has {len(times)}")
    return times, watts


class ReplayMeter:
    """A recorded trace as a Meter: the same samples for every window."""

    def __init__(self, file: Path, *, accuracy: Accuracy) -> None:
        self._file = file
        self._accuracy = accuracy
        self._trace: Trace | None = None

    def setup(self) -> tuple[Channel, ...]:
        """See Meter.setup."""
        times, watts = read_trace(self._file)
        interval_s = float(np.median(np.diff(times))) / 1e9
        channel = Channel(
            meter="replay",
            site=self._file.name,
            sampling=Sampling.INSTANTANEOUS,
            accuracy=self._accuracy,
            clock=ClockDomain.BOARD,
            scope=Scope.BOARD_INPUT,
            meter_class=MeterClass.E3,
            interval_s=interval_s,
            stale_after_s=max(3.0, 20 * interval_s),
        )
        self._trace = Trace(channel=channel, time_ns=np.array(times, np.int64), values=np.array(watts, np.float64))
        return (channel,)

    def start(self) -> None:
        """See Meter.start."""

    def stop(self) -> None:
        """See Meter.stop."""

    def samples(self) -> tuple[Trace, ...]:
        """See Meter.samples."""
        return () if self._trace is None else (self._trace,)
