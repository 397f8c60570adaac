"""Databases for the tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..postgres_server import PostgresServer


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind: both must keep the same promises."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/home/runs.sqlite"
    postgres: PostgresServer = request.getfixturevalue("postgres")
    return postgres.url()
