"""What the tests of several folders share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hilbench.targets.emulated.host import HOST_DIR_SETTING, host_dir

from .postgres_server import PostgresServer, running

if _process := os.environ.get("PYTEST_XDIST_WORKER"):
    # An emulated board serves one holder at a time, and a test expects it for itself: each process has its own folder.
    os.environ[HOST_DIR_SETTING] = f"{host_dir()}-{_process}"


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL that nobody harms. Tests that kill theirs start one of their own by `running`."""
    with running() as server:
        yield server
