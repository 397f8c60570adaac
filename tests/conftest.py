"""What the tests of several folders share.

`pytest-benchmark compare` loads this file too where it is called in a checkout, and as no part of a package: so nothing
beside it is imported at the top.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hilbench.targets.emulated.host import HOST_DIR_SETTING, host_dir

if TYPE_CHECKING:
    from .postgres_server import PostgresServer

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
    from .postgres_server import running

    with running() as server:
        yield server


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print a line for each fault; here, as with two processes the hooks of the folders are not called at the end."""
    from .faults.recording import write_faults

    write_faults(terminalreporter)
