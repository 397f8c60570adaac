"""What the tests of several folders share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .postgres_server import PostgresServer, running


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL that nobody harms. Tests that kill theirs start one of their own by `running`."""
    with running() as server:
        yield server
