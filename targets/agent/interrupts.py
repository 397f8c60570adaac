"""What signals ask of the running agent: SIGTERM and SIGINT to stop, SIGUSR1 to give up the process under way.

The agent's clock cannot judge a deadline on an emulated board, where guest time runs slow while it is busy: the
controller measures by its own clock, writes the number of processes it knows to be done into `expire`, and sends
SIGUSR1. The number keeps a late signal from ending the next process.
"""

from __future__ import annotations

import os
import select
import signal
from pathlib import Path

EXPIRE = "expire"


class StopRequested(Exception):  # noqa: N818  not an error: someone asked for it
    """The job is to stop now."""


class Interrupts:
    """Signal state of the agent's one thread. `wake_fd` becomes readable when a signal has come."""

    def __init__(self, jobdir: Path) -> None:
        self.stop = False
        self.done = 0  # processes finished, as the journal's last gap says
        self._expire_file = jobdir / EXPIRE
        self._expired = False
        self.wake_fd, self._write_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._write_fd, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._on_stop)
        signal.signal(signal.SIGINT, self._on_stop)
        signal.signal(signal.SIGUSR1, self._on_expire)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def drain(self) -> None:
        """Empty the wake pipe."""
        try:
            while os.read(self.wake_fd, 512):
                pass
        except BlockingIOError:
            pass

    def take_expiry(self) -> bool:
        """Whether the process under way is to be given up; asks once."""
        expired, self._expired = self._expired, False
        return expired

    def sleep(self, seconds: float) -> None:
        """Sleep, but wake for a stop. Raises StopRequested."""
        select.select([self.wake_fd], [], [], seconds)
        self.drain()
        if self.stop:
            raise StopRequested

    def _on_stop(self, *_: object) -> None:
        self.stop = True

    def _on_expire(self, *_: object) -> None:
        try:
            wanted = int(self._expire_file.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return
        self._expired = wanted == self.done
