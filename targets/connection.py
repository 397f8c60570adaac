"""What an open way to a board can do; `ssh.py` and `local.py` are the two implementations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A finished command on the board: its exit status and what it wrote."""

    status: int
    stdout: bytes
    stderr: bytes


class Connection(Protocol):
    """An open way to a board.

    Obligations of every implementation: each call has a deadline and ends by it with `TransientTargetError`; a lost
    peer is `TransientTargetError`, never a result; calls may come from several threads; `close` may be called twice.
    Commands are given as one string for `sh -c`; what a login shell prints before (a banner) never mixes into results.
    """

    def run(self, command: str, *, timeout_s: float, stdin: bytes = b"") -> Completed:
        """Run one shell command to its end. A non-zero status is a result, not an error."""
        ...

    def stream(self, command: str, *, idle_timeout_s: float) -> Iterator[bytes]:
        """Run a command and yield its stdout as it comes; ends with the command.

        `idle_timeout_s` bounds the silence between two pieces. Closing the iterator ends the command.
        """
        ...

    def put(self, local: Path, remote: str, *, timeout_s: float) -> str:
        """Copy a file to the board: to a temporary name, sha256 checked there, then renamed. Returns the sha256.

        Raises BoardFullError where the board's disk is full; nothing half-written is left behind.
        """
        ...

    def get(self, remote: str, local: Path, *, timeout_s: float) -> None:
        """Copy a file from the board, to a temporary name first."""
        ...

    def close(self) -> None:
        """Close; the board keeps what was started detached."""
        ...
