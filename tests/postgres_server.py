"""A real PostgreSQL on 127.0.0.1 for the tests: own data folder, own port, a password, ended by its pid.

PostgreSQL refuses to run as root. There it runs as the account `postgres`, which Debian's package makes.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator
from pathlib import Path

MISSING = (
    "PostgreSQL is missing: as root, run `apt-get install -y --no-install-recommends postgresql` (`make test` does)"
)
USER = "hilbench"
CONFIGURATION = """\
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = off
full_page_writes = off
shared_buffers = 16MB
dynamic_shared_memory_type = mmap
"""


def find_binaries() -> Path:
    """The folder of the newest PostgreSQL of this machine."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    assert found, MISSING
    return max(found, key=lambda path: [int(part) for part in re.findall(r"\d+", path.parent.name)])


class PostgresServer:
    """Started once for many tests; `url()` gives each a database of its own. Who harms it starts one by `running`."""

    def __init__(self) -> None:
        self._binaries = find_binaries()
        # Not below pytest's folder: that one is closed to the account that PostgreSQL runs as.
        self.folder = Path(tempfile.mkdtemp(prefix="hilbench-postgres-"))
        self.port = _free_port()
        self.password = secrets.token_hex(8)
        self._numbers = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None
        self._user: int | None = None
        self._group: int | None = None
        if os.geteuid() == 0:
            account = pwd.getpwnam("postgres")
            self._user, self._group = account.pw_uid, account.pw_gid
            os.chown(self.folder, account.pw_uid, account.pw_gid)
        self._initialise()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def url(self, *, password: str | None = None) -> str:
        """The address of a fresh, empty database."""
        name = f"test{next(self._numbers)}"
        import psycopg

        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self._address(name, password)

    def start(self) -> None:
        """Start it, after `kill` with the data as they were."""
        # The children of a killed server hold its shared memory for a moment more: then it refuses, and is asked again.
        for _ in range(100):
            with (self.folder / "log").open("ab") as log:
                program = [self._binaries / "postgres", "-D", self.folder / "data", "-p", str(self.port)]
                self._process = subprocess.Popen(
                    program,
                    stdout=log,
                    stderr=log,
                    cwd=self.folder,
                    process_group=0,
                    user=self._user,
                    group=self._group,
                    extra_groups=None if self._user is None else [],
                )
            if self._answers():
                return
            time.sleep(0.1)
        raise AssertionError((self.folder / "log").read_text())

    def kill(self) -> None:
        """SIGKILL, as the out-of-memory killer would: what was committed is on disk, nothing else is."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)

    def stop(self) -> None:
        """End it in order, and remove what it left."""
        try:
            if self._process is not None:
                if self._process.poll() is not None:
                    self.start()  # only a server that ends in order gives its shared memory back
                self._process.send_signal(signal.SIGINT)
                self._process.wait(30)
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _initialise(self) -> None:
        secret = self.folder / "password"
        secret.write_text(self.password)
        secret.chmod(0o644)
        options = ["-U", USER, "-A", "scram-sha-256", "--pwfile", secret, "-E", "UTF8", "--locale=C", "--no-sync"]
        done = subprocess.run(
            [self._binaries / "initdb", "-D", self.folder / "data", *options],
            capture_output=True,
            text=True,
            cwd=self.folder,
            check=False,
            user=self._user,
            group=self._group,
            extra_groups=None if self._user is None else [],
        )
        assert done.returncode == 0, done.stderr
        secret.unlink()
        with (self.folder / "data" / "postgresql.conf").open("a") as file:
            file.write(CONFIGURATION)

    def _answers(self) -> bool:
        """Whether it takes connections; False once it has ended."""
        import psycopg

        while self._process is not None and self._process.poll() is None:
            with contextlib.suppress(psycopg.OperationalError), psycopg.connect(self._address("postgres")):
                return True
            time.sleep(0.05)
        return False

    def _address(self, database: str, password: str | None = None) -> str:
        return f"postgresql://{USER}:{password or self.password}@127.0.0.1:{self.port}/{database}"


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextlib.contextmanager
def running() -> Generator[PostgresServer]:
    """A server that runs until the block ends."""
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.stop()
