"""A power switch for the tests: a program that starts a server which does not run yet, as power starts a board."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from .openssh_server import OpensshServer


@dataclass(frozen=True)
class Switch:
    """`log` gets a line with the words of each switching."""

    server: OpensshServer
    program: Path
    log: Path


@contextlib.contextmanager
def switched_off(folder: Path) -> Generator[Switch]:
    """A server that is off until the switch is used; it ends with the block."""
    server = OpensshServer(folder)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    sshd = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    log, pid, program = folder / "switched", folder / "pid", folder / "switch"
    start = f"exec {sshd} -f {folder}/sshd_config -o PidFile={pid}"
    program.write_text(f'#!/bin/sh\necho "$@" >>{log}\n{start}\n')
    program.chmod(0o755)
    try:
        yield Switch(server=server, program=program, log=log)
    finally:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            os.kill(int(pid.read_text()), signal.SIGTERM)
