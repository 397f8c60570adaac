"""Starting the host's programs that build an image, with one clear sentence when they fail."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import EmulatorError

# Ordinary accounts of Debian have no folder for administrators on their PATH, but may use mkfs on files of their own.
_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))


def run_program(
    argv: Sequence[str],
    *,
    doing: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str = "",
    timeout_s: float = 900.0,
) -> str:
    """Run a program to its end and return its standard output.

    `env` is added to this process's environment; messages are always in English, as some are parsed. A program that is
    missing, fails or runs longer than `timeout_s` raises EmulatorError with `doing` and the program's own last words.
    """
    try:
        done = subprocess.run(
            argv,
            cwd=cwd,
            env={**os.environ, **(env or {}), "PATH": _PATH, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"},
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except OSError as error:
        raise _not_started(argv[0], doing, error) from error
    except subprocess.TimeoutExpired as error:
        raise EmulatorError(f"{doing}: {argv[0]} did not end within {timeout_s:.0f} s") from error
    if done.returncode != 0:
        raise EmulatorError(f"{doing}: {Path(argv[0]).name} failed: {last_words(done.stderr or done.stdout)}")
    return done.stdout


def pipe_programs(first: Sequence[str], second: Sequence[str], *, doing: str) -> None:
    """Run `first | second`; both must succeed."""
    try:
        with subprocess.Popen(first, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as source:
            sink = subprocess.run(second, stdin=source.stdout, capture_output=True, check=False)
            # Closed so that a sink that stopped early ends the source by SIGPIPE instead of blocking it for ever.
            if source.stdout is not None:
                source.stdout.close()
            source_words = source.stderr.read() if source.stderr is not None else b""
    except OSError as error:
        raise _not_started(error.filename or first[0], doing, error) from error
    for argv, status, words in ((second, sink.returncode, sink.stderr), (first, source.returncode, source_words)):
        if status != 0:
            raise EmulatorError(f"{doing}: {argv[0]} failed: {last_words(words.decode(errors='replace'))}")


def last_words(text: str) -> str:
    """The line of a program's messages that says most: the first error that apt names, else the last line."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and "due to previous errors" not in line]
    errors = [line for line in lines if line.startswith(("E:", "ERROR:"))]
    return (errors or lines[-1:] or ["it said nothing"])[0]


def _not_started(program: str, doing: str, error: OSError) -> EmulatorError:
    if isinstance(error, FileNotFoundError):
        return EmulatorError(f"{doing}: {program} is not installed; `hilbench doctor` names the package")
    return EmulatorError(f"{doing}: {program} could not be started: {error.strerror}")
