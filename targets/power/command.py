"""A program that prints power, one line a sample, beside the board (here) or on it: any meter that has no file here.

    meters:
      - kind: command
        command: [picolog-cli, --watts]     # prints `{"time_s": 12.5, "power_w": 4.21}` or `12.5,4.21` or `4.21`
        on: controller
        accuracy: {gain: 0.01, offset_w: 0.01}

agent/power_text.py says which lines are understood, agent/power_stream.py how they are stamped.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import PurePath

from ..agent.power_stream import sample_program
from .channel import Accuracy, Channel, ClockDomain, MeterClass, Sampling, Scope
from .meter import Trace
from .polling import BackgroundSampling, traces_of


def channel_of(
    argv: Sequence[str], *, on_board: bool, site: str, scope: Scope, interval_s: float, accuracy: Accuracy
) -> Channel:
    """What the program's lines are: an external meter's (E2) beside the board, a sensor's (E3) on it."""
    return Channel(
        meter=PurePath(argv[0]).name,
        site=site,
        sampling=Sampling.INSTANTANEOUS,
        accuracy=accuracy,
        clock=ClockDomain.BOARD if on_board else ClockDomain.CONTROLLER,
        scope=scope,
        meter_class=MeterClass.E3 if on_board else MeterClass.E2,
        interval_s=interval_s,
        stale_after_s=max(3.0, 20 * interval_s),
    )


def source_of(argv: Sequence[str]) -> dict[str, object]:
    """The program as the on-board sampler runs it."""
    return {"kind": "stream", "argv": list(argv)}


class CommandMeter:
    """A program on this machine as a Meter. It is started for each sampling and ended with SIGTERM after it."""

    def __init__(self, argv: Sequence[str], channel: Channel) -> None:
        self._argv = list(argv)
        self._channel = channel
        self._sampling: BackgroundSampling | None = None

    def setup(self) -> tuple[Channel, ...]:
        """See Meter.setup. The program is not started yet."""
        return (self._channel,)

    def start(self) -> None:
        """See Meter.start."""
        self._sampling = BackgroundSampling(lambda bounds: sample_program(self._argv, bounds))
        self._sampling.start(f"the meter's program `{shlex.join(self._argv)}`")

    def stop(self) -> None:
        """See Meter.stop."""
        if self._sampling is not None:
            self._sampling.stop()

    def samples(self) -> tuple[Trace, ...]:
        """See Meter.samples."""
        return () if self._sampling is None else traces_of((self._channel,), self._sampling.samples())
