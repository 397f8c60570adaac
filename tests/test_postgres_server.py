"""The PostgreSQL of the tests does what the tests rely on."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from .postgres_server import running

LEAVES = (
    "import os, sys; sys.path.insert(0, sys.argv[1]); import postgres_server as p; s = p.PostgresServer(); s.start()"
)


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


def test_a_server_ends_with_the_tests_even_if_they_are_killed() -> None:
    program = f"{LEAVES}; print(s.folder, s.port, flush=True); os.kill(os.getpid(), 9)"
    done = subprocess.run(
        [sys.executable, "-c", program, Path(__file__).parent], capture_output=True, text=True, check=False
    )
    folder, port = done.stdout.split()
    for _ in range(200):
        if not Path(folder).exists():
            break
        time.sleep(0.1)
    assert not Path(folder).exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(port)), 5)
