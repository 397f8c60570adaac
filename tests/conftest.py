"""What the tests of several folders share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .postgres_server import PostgresServer, running


@pytest.hookimpl(tryfirst=True)  # before the plugin reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With several processes (`-n`), a file stays in one; so do all tests that share the session's emulated board."""
    for item in items:
        folder = item.path.parent.name
        item.add_marker(pytest.mark.xdist_group(folder if folder == "emulated" else str(item.path)))


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL that nobody harms. Tests that kill theirs start one of their own by `running`."""
    with running() as server:
        yield server
