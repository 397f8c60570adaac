"""Run a program of a side environment: it may fail, hang or talk without end, and none of that reaches the user."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import CompressionError
from .foreign import disk_error

TAIL_BYTES = 65_536  # of what a program printed, as much as is ever read

# These would let the controller's own packages, or the user's, into an environment that pins its versions.
_LEAKS = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "VIRTUAL_ENV", "PIP_TARGET", "PIP_PREFIX", "PIP_USER")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How a program ended: its return code (negative: the signal that ended it) and the end of what it printed."""

    code: int
    printed: str

    @property
    def last_line(self) -> str:
        """The last line that says something, without the full stop; `nothing was printed` where there is none."""
        lines = [line.strip() for line in self.printed.splitlines() if line.strip()]
        return lines[-1].rstrip(".")[:300] if lines else "nothing was printed"


def run_program(
    argv: Sequence[str | Path],
    *,
    doing: str,
    timeout_s: float,
    folder: Path | None = None,
    variables: Mapping[str, str] | None = None,
) -> Finished:
    """Run a program to its end and return how it ended; the caller judges the code.

    `variables` are its environment, by default that of a side environment.
    Its output goes to a file of which the end is read, so memory is bounded. The program and all it started are ended
    at the time-out and where this process is interrupted. Raises CompressionError at the time-out and where the program
    cannot be started.
    """
    try:
        with tempfile.TemporaryFile() as printed:
            process = subprocess.Popen(
                [str(part) for part in argv], stdin=subprocess.DEVNULL, stdout=printed, stderr=printed, cwd=folder,
                env=side_environment() if variables is None else variables, start_new_session=True,
            )  # fmt: skip
            code = _wait(process, doing=doing, timeout_s=timeout_s)
            size = printed.seek(0, os.SEEK_END)
            printed.seek(max(0, size - TAIL_BYTES))
            return Finished(code=code, printed=printed.read().decode("utf-8", "replace"))
    except OSError as error:
        raise disk_error(doing, error) from error


def _wait(process: subprocess.Popen[bytes], *, doing: str, timeout_s: float) -> int:
    try:
        return process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        raise CompressionError(f"{doing}: not done after {timeout_s:g} s; it was ended.") from None
    finally:
        if process.poll() is None:  # time-out or Ctrl-C: its children too
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def side_environment() -> dict[str, str]:
    """Return the variables for a Python of a side environment: nothing leaks in, one thread."""
    kept = {name: value for name, value in os.environ.items() if name not in _LEAKS}
    return kept | {"PYTHONNOUSERSITE": "1", "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}


def death(code: int) -> str:
    """Return in words how a program ended that gave no answer: the signal's name or its code."""
    if code >= 0:
        return f"ended with code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
