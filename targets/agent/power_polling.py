"""Polling a meter: jittered, each reading stamped in its middle, storage bounded.

At a fixed period the readings of a sensor would alias with an inference loop of nearly the same period.
"""

from __future__ import annotations

import random
import time
from array import array
from collections.abc import Callable, Sequence

from .power_samples import Bounds, Samples

# One reading of all channels. Raises OSError or ValueError where the meter does not answer.
Read = Callable[[], Sequence[float]]

_ERRORS_IN_A_ROW = 20
_LATE_PERIODS = 2.0
_WAKE_S = 0.2


def poll(read: Read, bounds: Bounds, *, period_s: float, seed: int) -> Samples:
    """Poll until a bound. A meter that fails many times in a row ends it too; `error` then says why.

    A poll is due half to one and a half periods after the one before. Where this process was kept from running for
    more than two periods, the polls that fell out are counted by a jump in `slots`.
    """
    samples, dice, clock = Samples(), random.Random(seed), time.perf_counter_ns  # noqa: S311  jitter, not a secret
    period_ns = max(1, int(period_s * 1e9))
    due = clock()
    until, slot, failed = due + int(bounds.max_s * 1e9), 0, 0
    while not bounds.stopped():
        if len(samples.slots) >= bounds.max_samples or clock() > until:
            samples.truncated = True
            break
        if not _wait(due, bounds.stopped):
            break
        late_ns = clock() - due
        if late_ns > _LATE_PERIODS * period_ns:
            slot += late_ns // period_ns
            due += late_ns
        failed = 0 if _read_once(read, samples, slot) else failed + 1
        if len(samples.slots) == 1 and not failed:
            bounds.ready()
        if failed >= _ERRORS_IN_A_ROW:
            break
        slot += 1
        due += int(period_ns * dice.uniform(0.5, 1.5))
    return samples


def _wait(due: int, stopped: Callable[[], bool]) -> bool:
    """Sleep until `due` in pieces, so that a slow meter's sampler ends soon when it is told to: then False."""
    while not stopped():
        left_s = (due - time.perf_counter_ns()) / 1e9
        if left_s <= 0:
            return True
        time.sleep(min(left_s, _WAKE_S))
    return False


def _read_once(read: Read, samples: Samples, slot: int) -> bool:
    before = time.perf_counter_ns()
    try:
        values = read()
    except (OSError, ValueError) as error:
        samples.error = str(error)
        return False
    after = time.perf_counter_ns()
    if not samples.values:
        samples.values = [array("d") for _ in values]
    for channel, value in zip(samples.values, values, strict=True):
        channel.append(value)
    samples.time_ns.append((before + after) // 2)
    samples.slots.append(slot)
    samples.longest_read_ns = max(samples.longest_read_ns, after - before)
    return True
