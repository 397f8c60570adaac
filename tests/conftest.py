"""What the tests of several folders share.

`pytest-benchmark compare` loads this file too where it is called in a checkout, and as no part of a package: so nothing
beside it is imported at the top.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
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


# A file stays in one process: the longest begin first, so that at the end no process waits for the last one of them.
LONGEST_FIRST = (
    "emulated/test_bare_board.py",
    "faults/test_run_on_emulated_board.py",
    "browser/test_web_path.py",
    "emulated/test_agent_emulated.py",
    "emulated/test_example_plans.py",
    "faults/test_queue.py",
    "faults/test_fault_emulated.py",
    "faults/test_board_add.py",
    "faults/test_fault_connection.py",
    "targets/test_connection_contract.py",
    "faults/test_two_controllers.py",
    "emulated/test_armhf_emulated.py",
    "faults/test_killed_controller.py",
    "harness/test_gated.py",
    "harness/test_engine.py",
    "targets/test_agent_failures.py",
)
TESTS = Path(__file__).parent


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of the longest files first; the others keep their order."""
    places = {TESTS / name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


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
