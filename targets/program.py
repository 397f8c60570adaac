"""A program of the user's on this machine: a power switch, a notification. Without a shell, within a time limit."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence

from .errors import TargetError

_SHOWN_BYTES = 4096
_REAP_S = 5.0


def check_words(command: str) -> None:
    """Raise ValueError, never with the command itself, where it cannot be split into a program and its words."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ValueError(f"it cannot be split into words: {str(error).lower()}") from error
    if not words:
        raise ValueError("it is empty; it must be a program with its words")


def run_program(
    words: Sequence[str], *, timeout_s: float, stdin: bytes = b"", environment: Mapping[str, str] | None = None
) -> None:
    """Run a program to its end. `environment` is added to this process's own.

    Raises TargetError, which names the program by its first word alone (others may hold a secret) and ends with what
    it said last, where it cannot be started, ends with another status than 0, or takes longer than `timeout_s`.
    """
    name = words[0]
    # A file takes what it says: a child that it leaves behind with an open pipe would keep us waiting.
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as given:
        given.write(stdin)
        given.seek(0)
        try:
            process = subprocess.Popen(
                list(words),
                stdin=given,
                stdout=said,
                stderr=said,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )
        except (OSError, ValueError) as error:  # the latter: a NUL in a word
            raise TargetError(f"`{name}` cannot be started: {getattr(error, 'strerror', None) or error}") from error
        try:
            status = process.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            raise TargetError(f"`{name}` took longer than {timeout_s:g} s and was ended") from error
        finally:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait(_REAP_S)
        if status != 0:
            said.seek(max(0, said.seek(0, os.SEEK_END) - _SHOWN_BYTES))
            lines = said.read().decode(errors="replace").strip().splitlines()
            ended = f"signal {-status}" if status < 0 else f"status {status}"
            raise TargetError(f"`{name}` ended with {ended}" + (f": {lines[-1].strip()}" if lines else ""))
