"""The watchdog: sleeps until the agent's lock is gone, then brings the board's settings back if nobody has.

It waits in flock(2) for the lock that the agent holds for its life, so it uses no processor while anything is timed,
and the kernel wakes it however the agent ends. Its session is its own: what kills the agent's session spares it.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

from .daemon import LOCK
from .identity import boot_id, start_ticks
from .tuning import TuningError
from .tuningfile import Owner, bring_back, locked, read

_READY = b"watching\n"


def start_watchdog(agent_path: str, jobdir: Path, root: Path) -> None:
    """Start it for this agent; returns once it watches. Raises TuningError: nothing may be set without one."""
    ticks = start_ticks(os.getpid())
    argv = [sys.executable, agent_path, "watchdog", str(jobdir), str(root), str(os.getpid()), str(ticks)]
    try:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )
    except OSError as error:
        raise TuningError(f"the watchdog cannot be started: {error.strerror}") from error
    assert process.stdout is not None
    with process.stdout as answers:
        if answers.read() != _READY:
            raise TuningError("the watchdog ended before it watched")


def run_watchdog(jobdir: Path, root: Path, pid: int, ticks: int) -> int:
    """Wait for the end of the agent `pid`, then bring back what it had set, unless that is done."""
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    owner = Owner(pid=pid, start_ticks=ticks, boot=boot_id())
    lock = os.open(jobdir / LOCK, os.O_RDWR | os.O_CLOEXEC)
    os.write(1, _READY)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)  # the agent reads to the end of the pipe
    os.chdir("/")
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.close(lock)
    try:
        with locked(root) as path:
            saved = read(path)
            if saved is not None and saved.owner == owner:
                bring_back(root, path, saved)
    except TuningError:
        return 1  # the file stays: the next agent of this account tries again, and says what it met
    return 0
