"""The PostgreSQL of the tests does what the tests rely on."""

from __future__ import annotations

import psycopg
import pytest

from .postgres_server import running


def test_a_killed_server_comes_back_with_what_was_committed_and_leaves_nothing() -> None:
    with running() as server:
        url, other = server.url(), server.url()
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept (value int)")
        server.kill()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(url)
        server.start()
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)
        with psycopg.connect(other) as connection, pytest.raises(psycopg.errors.UndefinedTable):
            connection.execute("SELECT * FROM kept")
    assert not server.folder.exists()
