"""A fresh cgroup for the memory process, whose `memory.peak` also has page cache and kernel memory.

Interface: cgroup v2 (Linux's admin-guide/cgroup-v2), `memory.peak` since Linux 5.19. A process may only be moved where
this account may write `cgroup.procs`: as root, or in a subtree that was delegated to it. Whatever stands in the way is
a reason, not an error.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

_PREFIX = "hilbench-memory-"


class PeakGroup:
    """A group of this process's own from `enter` to `leave`. `reason` says why there is none, None while there is."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._home: Path | None = None
        self._group: Path | None = None
        self.reason: str | None = "not tried"

    def enter(self) -> None:
        """Make the group and move this process into it. What was charged before stays with the group it came from."""
        mount, own = _mount_point(self._root), _own_path(self._root)
        if mount is None or own is None:
            self.reason = "cgroup v2 is not mounted on this board"
            return
        self._home = mount / own
        for parent in dict.fromkeys((self._home, mount)):
            self.reason = self._enter_below(parent)
            if self.reason is None:
                return

    def peak_bytes(self) -> int | None:
        """The group's peak since `enter`: page cache and kernel memory count; None without a group."""
        return None if self._group is None else _number(self._group / "memory.peak")

    def leave(self) -> None:
        """Move this process back and remove the group."""
        if self._group is not None and self._home is not None:
            with suppress(OSError):
                _write(self._home / "cgroup.procs", str(os.getpid()))
                self._group.rmdir()
        self._group = None

    def _enter_below(self, parent: Path) -> str | None:
        _remove_left_over(parent)
        group = parent / f"{_PREFIX}{os.getpid()}"
        try:
            group.mkdir()
        except OSError as error:
            return f"this account may not make a cgroup: {error.strerror}"
        reason = _unusable(group)
        if reason is None:
            try:
                _write(group / "cgroup.procs", str(os.getpid()))
            except OSError as error:
                reason = f"this account may not move a process to a cgroup of its own: {error.strerror}"
        if reason is not None:
            with suppress(OSError):
                group.rmdir()
            return reason
        self._group = group
        return None


def _unusable(group: Path) -> str | None:
    if (group / "memory.peak").exists():
        return None
    if (group / "memory.current").exists():
        return "the kernel has no memory.peak, which came with Linux 5.19"
    return "the memory controller is not given to new cgroups on this board"


def _remove_left_over(parent: Path) -> None:
    """Groups of processes that were killed; the kernel refuses to remove one that is in use."""
    for group in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            group.rmdir()


def _mount_point(root: Path) -> Path | None:
    """Where cgroup v2 is mounted: field 5 of the line of /proc/self/mountinfo whose type is cgroup2."""
    for line in _text(root / "proc/self/mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        if after.split(" ")[0] == "cgroup2":
            return root / before.split(" ")[4].lstrip("/")
    return None


def _own_path(root: Path) -> str | None:
    found = re.search(r"^0::/(.*)$", _text(root / "proc/self/cgroup"), re.MULTILINE)
    return None if found is None else found.group(1)


def _number(path: Path) -> int | None:
    text = _text(path).strip()
    return int(text) if text.isdigit() else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _write(path: Path, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)  # never made: a missing file is an answer
    try:
        os.write(fd, text.encode("ascii"))
    finally:
        os.close(fd)
