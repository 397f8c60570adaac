"""What a meter is: something with channels that gives traces of samples. Data, and the protocol that meters keep.

Times are integer nanoseconds of the clock that the channel names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import TargetError
from .channel import Channel

Times = NDArray[np.int64]
Values = NDArray[np.float64]


class MeterError(TargetError):
    """A meter cannot be used or gave nothing: energy is not measured, everything else goes on."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trace:
    """The samples of one channel in the order in which they came. Nothing is left out or mended.

    `sequence` is the meter's own count of samples, or the number of the poll: a number that is missing is a sample
    that was lost. None = the meter does not count. `error` is the last failure that the meter reported while sampling.
    """

    channel: Channel
    time_ns: Times
    values: Values
    sequence: Times | None = None
    error: str | None = None


class Meter(Protocol):
    """Something that samples power while a window runs.

    Obligations: the four calls come in this order, `stop` also after a failed `start` and more than once. No call
    prints. A meter that fails while it samples does not raise: its trace ends there and says so, since a lost meter
    costs the energy figure and never the latency.
    """

    def setup(self) -> tuple[Channel, ...]:
        """Look at the device and say what it measures; the first channel is the one for energy. Raises MeterError."""
        ...

    def start(self) -> None:
        """Begin to sample; returns once samples come. Raises MeterError."""
        ...

    def stop(self) -> None:
        """End the sampling. May be called twice."""
        ...

    def samples(self) -> tuple[Trace, ...]:
        """All samples since `start`, one trace a channel in the order of `setup`. Only after `stop`."""
        ...
