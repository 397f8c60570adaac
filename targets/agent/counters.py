"""Counting the instructions of an inference: the processor's PMU, or the clock of an instruction-counting emulator.

Interface: perf_event_open(2), struct perf_event_attr of include/uapi/linux/perf_event.h. One event,
PERF_COUNT_HW_INSTRUCTIONS, user mode only, of this process. It is read by read(2), 8 bytes in the machine's byte order.
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

# Numbers of perf_event_open: arch/*/entry/syscalls and include/uapi/asm-generic/unistd.h.
_SYSCALL_64 = {"aarch64": 241, "riscv64": 241, "x86_64": 298}
_SYSCALL_32 = {"aarch64": 364, "armv6l": 364, "armv7l": 364, "armv8l": 364, "i686": 336, "x86_64": 336}

_TYPE_HARDWARE = 0
_COUNT_INSTRUCTIONS = 1
_ATTR_SIZE_VER0 = 64
_INHERIT = 1 << 1
_EXCLUDE_KERNEL = 1 << 5
_EXCLUDE_HV = 1 << 6
_FD_CLOEXEC = 8
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


def syscall_number(machine: str, pointer_bits: int) -> int | None:
    """The number of perf_event_open for `uname -m` and the width of this process; None where it is not known."""
    return (_SYSCALL_64 if pointer_bits == 64 else _SYSCALL_32).get(machine)


def _open_instructions(*, inherit: bool) -> int | None:
    import ctypes  # slow to import on a small board, and needed in this kind of process only

    number = syscall_number(os.uname().machine, 8 * ctypes.sizeof(ctypes.c_void_p))
    if number is None:
        return None

    class Attr(ctypes.Structure):
        _fields_ = (
            ("type", ctypes.c_uint32),
            ("size", ctypes.c_uint32),
            ("config", ctypes.c_uint64),
            ("sample_period", ctypes.c_uint64),
            ("sample_type", ctypes.c_uint64),
            ("read_format", ctypes.c_uint64),
            ("flags", ctypes.c_uint64),
            ("wakeup_events", ctypes.c_uint32),
            ("bp_type", ctypes.c_uint32),
            ("config1", ctypes.c_uint64),
        )

    flags = _EXCLUDE_KERNEL | _EXCLUDE_HV | (_INHERIT if inherit else 0)
    attr = Attr(type=_TYPE_HARDWARE, size=_ATTR_SIZE_VER0, config=_COUNT_INSTRUCTIONS, flags=flags)
    syscall = ctypes.CDLL(None, use_errno=True).syscall
    syscall.restype = ctypes.c_long
    this_process, any_cpu, no_group = ctypes.c_int(0), ctypes.c_int(-1), ctypes.c_int(-1)
    fd = syscall(
        ctypes.c_long(number), ctypes.byref(attr), this_process, any_cpu, no_group, ctypes.c_ulong(_FD_CLOEXEC)
    )
    return int(fd) if fd >= 0 else None


def _pmu_difference(before: object, after: object) -> int:
    assert isinstance(before, bytes)
    assert isinstance(after, bytes)
    return int.from_bytes(after, sys.byteorder) - int.from_bytes(before, sys.byteorder)


def _clock_difference(before: object, after: object) -> int:
    assert isinstance(before, int)
    assert isinstance(after, int)
    return after - before
