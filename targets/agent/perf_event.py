"""Opening hardware events of this process, user mode only.

Interface: perf_event_open(2), struct perf_event_attr of include/uapi/linux/perf_event.h; the events are those of
PERF_TYPE_HARDWARE. ctypes is slow to import on a small board, so only processes that count import this file.
"""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

EVENTS = {"cycles": 0, "instructions": 1, "cache_misses": 3, "branch_misses": 5}
WITH_TIMES = 0b11  # read_format: PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING

# Numbers of perf_event_open: arch/*/entry/syscalls and include/uapi/asm-generic/unistd.h.
_SYSCALL_64 = {"aarch64": 241, "riscv64": 241, "x86_64": 298}
_SYSCALL_32 = {"aarch64": 364, "armv6l": 364, "armv7l": 364, "armv8l": 364, "i686": 336, "x86_64": 336}
_TYPE_HARDWARE = 0
_ATTR_SIZE_VER0 = 64
_DISABLED = 1 << 0
_INHERIT = 1 << 1
_EXCLUDE_KERNEL = 1 << 5
_EXCLUDE_HV = 1 << 6
_FD_CLOEXEC = 8
_NO_PMU = frozenset({errno.ENOENT, errno.ENODEV, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ENXIO})
_PARANOID = Path("/proc/sys/kernel/perf_event_paranoid")


class _Attr(ctypes.Structure):
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


def syscall_number(machine: str, pointer_bits: int) -> int | None:
    """The number of perf_event_open for `uname -m` and the width of this process; None where it is not known."""
    return (_SYSCALL_64 if pointer_bits == 64 else _SYSCALL_32).get(machine)


def open_event(
    name: str, *, inherit: bool, read_format: int = 0, leader: int | None = None, disabled: bool = False
) -> int:
    """A file descriptor that counts `name` (of EVENTS) for this process. Raises OSError with the kernel's errno.

    Args:
        name: which event.
        inherit: count threads that start later too, so open it before the model is loaded.
        read_format: what a read gives beside the count.
        leader: the descriptor of a group's first event: the kernel then counts all of the group or none.
        disabled: starts when it is enabled (or when its leader is).
    """
    number = syscall_number(os.uname().machine, 8 * ctypes.sizeof(ctypes.c_void_p))
    if number is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    flags = _EXCLUDE_KERNEL | _EXCLUDE_HV | (_INHERIT if inherit else 0) | (_DISABLED if disabled else 0)
    attr = _Attr(type=_TYPE_HARDWARE, size=_ATTR_SIZE_VER0, config=EVENTS[name], read_format=read_format, flags=flags)
    syscall = ctypes.CDLL(None, use_errno=True).syscall
    syscall.restype = ctypes.c_long
    this_process, any_cpu = ctypes.c_int(0), ctypes.c_int(-1)
    group = ctypes.c_int(-1 if leader is None else leader)
    fd = syscall(ctypes.c_long(number), ctypes.byref(attr), this_process, any_cpu, group, ctypes.c_ulong(_FD_CLOEXEC))
    if fd < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(fd)


def refusal(error: OSError, paranoid: Path = _PARANOID) -> str:
    """Why the kernel does not count an event, as a clause for a person."""
    if error.errno in (errno.EACCES, errno.EPERM):
        try:
            level = paranoid.read_text(encoding="ascii").strip()
        except OSError:
            level = "unknown"
        return f"this account may not count events (kernel.perf_event_paranoid is {level})"
    if error.errno == errno.ENOSYS:
        return "the kernel has no performance events"
    if error.errno in _NO_PMU:
        return "this processor's PMU does not give it"
    return f"the kernel refuses to count it: {error.strerror}"
