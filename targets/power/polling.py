"""Sampling from this machine, in a thread, by the loops that also sample on the board."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np

from ..agent.power_polling import Read, poll
from ..agent.power_samples import Bounds, Samples
from .channel import Channel
from .meter import MeterError, Trace

_MOST_SAMPLES = 2_000_000
_LONGEST_S = 6 * 3600.0
_FIRST_SAMPLE_TIMEOUT_S = 15.0
_STOP_TIMEOUT_S = 15.0


class BackgroundSampling:
    """A sampling in a thread of this process. `sample` runs until the bounds that it is given say stop."""

    def __init__(self, sample: Callable[[Bounds], Samples]) -> None:
        self._sample = sample
        self._told = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="power meter", daemon=True)
        self._samples: Samples | None = None

    def start(self, what: str) -> None:
        """Begin; returns after the first sample. MeterError where none comes: `what` is the meter's name."""
        self._thread.start()
        if not self._ready.wait(_FIRST_SAMPLE_TIMEOUT_S) or self._gave_nothing():
            self.stop()
            raise MeterError(f"{what} gives no samples: {self.samples().error or 'it says nothing'}")

    def stop(self) -> None:
        """End the sampling and wait for the thread. May be called twice."""
        self._told.set()
        if self._thread.ident is not None:
            self._thread.join(_STOP_TIMEOUT_S)

    def samples(self) -> Samples:
        """What was sampled; only after `stop`."""
        return self._samples if self._samples is not None else Samples(error="the sampling did not end")

    def _gave_nothing(self) -> bool:
        return self._samples is not None and not self._samples.time_ns

    def _run(self) -> None:
        bounds = Bounds(max_samples=_MOST_SAMPLES, max_s=_LONGEST_S, stopped=self._told.is_set, ready=self._ready.set)
        try:
            self._samples = self._sample(bounds)
        except OSError as error:
            self._samples = Samples(error=f"{error.strerror or error}")
        self._ready.set()


def polled(read: Read, *, period_s: float, seed: int = 0) -> BackgroundSampling:
    """Ask a meter again and again, jittered around `period_s`.

    `read` gives the values of all channels, or raises OSError or ValueError: then that sample is missing.
    """
    return BackgroundSampling(lambda bounds: poll(read, bounds, period_s=period_s, seed=seed))


def traces_of(channels: Sequence[Channel], samples: Samples) -> tuple[Trace, ...]:
    """One trace a channel of what a sampler of this process gave."""
    time_ns = np.array(samples.time_ns, np.int64)
    slots = np.array(samples.slots, np.int64) if samples.slots else None
    columns = samples.values or [[] for _ in channels]
    return tuple(
        Trace(
            channel=channel,
            time_ns=time_ns,
            values=np.array(values, np.float64),
            sequence=slots,
            error=ended_because(samples.error, truncated=samples.truncated),
        )
        for channel, values in zip(channels, columns, strict=True)
    )


def ended_because(error: str | None, *, truncated: bool) -> str | None:
    """What a sampler said at its end, in words."""
    return error or ("the sampler reached its bound of samples or time" if truncated else None)
