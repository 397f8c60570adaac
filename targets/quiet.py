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
    """Hold this machine shared, or alone for timing; waits for others and says so once. Yields the seconds waited."""
    path = host_dir() / "machine-time.lock"
    descriptor = _open(path)
    kind = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
    asked = time.monotonic()
    try:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            what = "is being timed" if not alone else "is at work for another run"
            progress(f"waiting: this machine {what} (lock: {path})")
            fcntl.flock(descriptor, kind)
        yield time.monotonic() - asked
    finally:
        os.close(descriptor)


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
