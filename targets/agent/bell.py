"""A named pipe that rings when the journal has grown, and falls silent for ever when the agent is gone.

The watcher's command on the board sleeps in read(2) until there is something to do: no polling while inferences are
timed, and no waiting on an emulated board, whose own seconds are long. As the agent holds the only writing end, the
kernel gives the reader its end of file when the agent ends, in whatever way.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

BELL = "bell"


class Bell:
    """The agent's end of the pipe. Rings never block, and at most one is waiting to be heard."""

    def __init__(self, jobdir: Path) -> None:
        path = jobdir / BELL
        path.unlink(missing_ok=True)
        os.mkfifo(path, 0o600)
        # For reading too: then there is no error while nobody listens, and an unheard ring can be taken back.
        self._fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def ring(self) -> None:
        """Tell the reader, if there is one, to look at the journal."""
        with suppress(BlockingIOError):
            os.read(self._fd, 4096)
        with suppress(BlockingIOError):
            os.write(self._fd, b"\n")

    def close(self) -> None:
        """Close; the reader then reads end of file."""
        os.close(self._fd)
