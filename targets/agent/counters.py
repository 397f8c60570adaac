"""Counting the instructions of an inference: the processor's PMU, or the clock of an instruction-counting emulator.

One event of perf_event_open(2), instructions, user mode only, of this process. It is read by read(2), 8 bytes in the
machine's byte order.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

PMU = "pmu"
VIRTUAL_CLOCK = "virtual-clock"

_COUNTER_BYTES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """A running counter. `read` is called before and after an inference; `difference` turns two reads into a count.

    `read` does as little as it can, since its own instructions fall into the window; decoding waits for afterwards.
    """

    source: str
    read: Callable[[], object]
    difference: Callable[[object, object], int]


def open_counter(threads: int) -> Counter:
    """The PMU where the kernel lets us, else the clock, which counts instructions under QEMU's `-icount shift=0`.

    With more than one thread, threads created later are counted too, so open it before the model is loaded.
    """
    fd = _open_instructions(inherit=threads > 1)
    if fd is None:
        return Counter(source=VIRTUAL_CLOCK, read=time.perf_counter_ns, difference=_clock_difference)
    return Counter(source=PMU, read=partial(os.read, fd, _COUNTER_BYTES), difference=_pmu_difference)


def _open_instructions(*, inherit: bool) -> int | None:
    from .perf_event import open_event  # slow to import on a small board, and needed in this kind of process only

    try:
        return open_event("instructions", inherit=inherit)
    except OSError:
        return None


def _pmu_difference(before: object, after: object) -> int:
    assert isinstance(before, bytes)
    assert isinstance(after, bytes)
    return int.from_bytes(after, sys.byteorder) - int.from_bytes(before, sys.byteorder)


def _clock_difference(before: object, after: object) -> int:
    assert isinstance(before, int)
    assert isinstance(after, int)
    return after - before
