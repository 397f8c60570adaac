"""What the tests of several folders share."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from hilbench.targets.emulated.host import HOST_DIR_SETTING, host_dir

from .faults.recording import pytest_terminal_summary
from .postgres_server import PostgresServer, running

__all__ = ["postgres", "pytest_terminal_summary"]  # with two processes only this file's hooks are called at the end

if _process := os.environ.get("PYTEST_XDIST_WORKER"):
    # An emulated board serves one holder at a time, and a test expects it for itself: each process has its own folder.
    os.environ[HOST_DIR_SETTING] = f"{host_dir()}-{_process}"

for _signal, _usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    # Ignored in what a script starts with `&` or nohup, and so in the programs that tests send these signals to.
    if signal.getsignal(_signal) is signal.SIG_IGN:
        signal.signal(_signal, _usual)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL that nobody harms. Tests that kill theirs start one of their own by `running`."""
    with running() as server:
        yield server
