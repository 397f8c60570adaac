"""One machine, one thing at a time while it is timed.

A file lock in the host-wide folder: whoever works on this machine without timing it (emulated boards, compression)
shares it; whoever times this machine holds it alone. It holds between processes and ends with them.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from .emulated.host import host_dir
from .errors import TargetError


@contextmanager
def machine_time(*, alone: bool, progress: Callable[[str], None]) -> Generator[float]:
    """Hold this machine shared, or alone for timing; waits for others and says so once. Yields the seconds waited.

    Never taken twice by one thread: whoever waits to hold it alone lets nobody in meanwhile.
    """
    path = host_dir() / "machine-time.lock"
    # Everyone passes through the turn. Without it those who share the machine, one coming before the other has gone,
    # could keep the one who wants it alone waiting for ever: the lock itself knows no order.
    turn, descriptor = _open(path.with_suffix(".turn")), _open(path)
    kind = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
    asked = time.monotonic()
    try:
        what = "is at work for another run" if alone else "is being timed, or about to be"
        waiting = _Waiting(progress, f"waiting: this machine {what} (lock: {path})")
        waiting.lock(turn, fcntl.LOCK_EX)
        waiting.lock(descriptor, kind)
        fcntl.flock(turn, fcntl.LOCK_UN)
        yield time.monotonic() - asked
    finally:
        os.close(descriptor)
        os.close(turn)


class _Waiting:
    """Waits for locks and says so at the first that is not free."""

    def __init__(self, progress: Callable[[str], None], sentence: str) -> None:
        self._progress, self._sentence = progress, sentence
        self._told = False

    def lock(self, descriptor: int, kind: int) -> None:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if not self._told:
                self._told = True
                self._progress(self._sentence)
            fcntl.flock(descriptor, kind)


def _open(path: Path) -> int:
    """Open the lock file of all accounts. Reading is enough for flock; O_CREAT only where it does not exist yet, as the
    kernel refuses it for another account's file in a folder that all may write (fs.protected_regular).
    """
    try:
        return os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        descriptor = os.open(path, os.O_RDONLY | os.O_CREAT, 0o644)
        os.fchmod(descriptor, 0o644)  # whatever this account's umask says
        return descriptor
    except OSError as error:
        raise TargetError(f"the lock of this machine's time, {path}, cannot be opened: {error.strerror}") from error
