"""Which process is meant: a pid alone is used again; pid, start time and boot together are not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")
# proc_pid_stat(5), counted after the closing parenthesis of the command's name.
_STATE, _SESSION, _START_TICKS = 0, 3, 19


def boot_id() -> str:
    """The kernel's random id of this boot (random(4))."""
    return (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def start_ticks(pid: int) -> int | None:
    """When the process began, in clock ticks since boot; None if there is none or it is a zombie."""
    fields = _stat(pid)
    return None if fields is None or fields[_STATE] == "Z" else int(fields[_START_TICKS])


def is_alive(pid: int, ticks: int, boot: str) -> bool:
    """Whether this very process lives."""
    return boot == boot_id() and start_ticks(pid) == ticks


def session_members(session: int) -> Iterator[int]:
    """The processes of a session, this one left out."""
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            fields = _stat(int(entry.name))
            if fields is not None and int(fields[_SESSION]) == session:
                yield int(entry.name)


def _stat(pid: int) -> list[str] | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()
