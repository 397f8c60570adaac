"""A database as the store uses it: SQLite (WAL) or PostgreSQL, brought to the newest schema, and asked with patience.

A server that restarts and a file that another process locks are waited for, so that nothing that was measured is lost
to them; all other errors become one sentence at once.
"""

from __future__ import annotations

import sqlite3
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from .databasecopy import keep_copy
from .databaseurl import driver_url, shown
from .errors import StoreError
from .progress import Say

HEAD = "0003"
PATIENCE_S = 60.0
_DELAYS_S = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0)  # then the last one again and again
_BUSY_TIMEOUT_MS = 5000
# A connection to a server that is gone without a word ends after about 20 s. The encoding must not be the server's own.
_POSTGRESQL_OPTIONS = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 20_000,
    "client_encoding": "utf8",
}
_MIGRATION_LOCK = 0x68696C62  # any number that nobody else takes: "hilb"
_TURN_LOCK = 0x7475726E  # "turn", beside a number for its name
# SQLSTATE: connection lost, server going down or coming up, too many connections, serialisation, deadlock, lock.
_TRANSIENT_STATES = ("08", "57P01", "57P02", "57P03", "53300", "40001", "40P01", "55P03")
_TRANSIENT_REFUSALS = (
    "starting up",
    "shutting down",
    "recovery",
    "not yet accepting",
    "too many",
    "remaining connection",
)

T = TypeVar("T")


class Database:
    """An open database. Safe to use from several threads; every `read` and `write` is one transaction.

    `say` hears once an outage that it is waited for. Raises StoreError where `patience_s` is over, or at once where
    waiting would not help.
    """

    def __init__(self, url: str, *, say: Say | None = None, patience_s: float = PATIENCE_S) -> None:
        self.name = shown(url)
        self._say = say
        self._patience_s = patience_s
        self._waiting = threading.Event()
        self._engine = _engine(driver_url(url), patience_s)
        self._writing = self._engine.execution_options(hilbench_writes=True)
        self._patiently(lambda _: self._migrate())

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    def read(self, query: sa.Select[*tuple[Any, ...]]) -> Sequence[sa.Row[*tuple[Any, ...]]]:
        """The rows that a query finds."""

        def work(_again: bool) -> Sequence[sa.Row[*tuple[Any, ...]]]:
            with self._engine.connect() as connection:
                return connection.execute(query).all()

        return self._patiently(work)

    def write(self, work: Callable[[sa.Connection, bool], T]) -> T:
        """Carry out `work(connection, again)` in one transaction. `again`: it may have been committed already, as the
        answer to its commit was lost; it must not do twice what may be done once."""

        def attempt(again: bool) -> T:
            with self._writing.begin() as connection:
                return work(connection, again)

        return self._patiently(attempt)

    def in_turn(self, connection: sa.Connection, name: str) -> None:
        """Wait, inside a `write`, until no other transaction has the turn of this name, and have it until the end.

        What is numbered in turn can be seen in the order of its numbers: SQLite has one writer anyway, but PostgreSQL
        would show a number that was drawn later and committed earlier before the other one.
        """
        if self.dialect == "postgresql":
            key = zlib.crc32(name.encode()) - 2**31
            lock = sa.func.pg_advisory_xact_lock(sa.cast(_TURN_LOCK, sa.Integer), sa.cast(key, sa.Integer))
            connection.execute(sa.select(lock))

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._engine.dispose()

    def _patiently(self, attempt: Callable[[bool], T]) -> T:
        deadline: float | None = None
        number = 0
        while True:
            try:
                result = attempt(number > 0)
            except SQLAlchemyError as error:
                if not _is_transient(error):
                    raise StoreError(f"the store {self.name} failed: {_cause(error)}") from error
                moment = time.monotonic()
                deadline = moment + self._patience_s if deadline is None else deadline
                if moment >= deadline:
                    what = f"has not answered for {self._patience_s:.0f} s: {_cause(error)}"
                    raise StoreError(f"the store {self.name} {what}; what was measured stays on the boards") from error
                self._announce(error)
                time.sleep(min(_DELAYS_S[min(number, len(_DELAYS_S) - 1)], deadline - moment))
                number += 1
            else:
                self._waiting.clear()
                return result

    def _announce(self, error: SQLAlchemyError) -> None:
        if self._say is not None and not self._waiting.is_set():
            self._say(
                f"the store {self.name} does not answer ({_cause(error)}); waiting up to {self._patience_s:.0f} s"
            )
        self._waiting.set()

    def _migrate(self) -> None:
        """Bring the schema to HEAD; alembic is imported only where there is something to do."""
        with self._engine.connect() as connection:
            if self._is_current(connection):
                return
        from alembic import command
        from alembic.config import Config

        kept: str | None = None
        # One process at a time; alembic finds nothing to do where another one was first.
        with self._writing.begin() as connection:
            if self.dialect == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
            version = self._version(connection)
            if version not in (None, HEAD):
                kept = keep_copy(connection, self.name, version)
            config = Config()
            config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
            config.attributes["connection"] = connection
            command.upgrade(config, HEAD)
        if kept is not None and self._say is not None:
            self._say(f"the store {self.name} was brought to this version of hilbench; as it was before: {kept}")

    def _version(self, connection: sa.Connection) -> str | None:
        """The version of the schema; None in a database without any."""
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        return str(connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar() or "")

    def _is_current(self, connection: sa.Connection) -> bool:
        version = self._version(connection)
        if version is None:
            return False
        if version > HEAD:
            raise StoreError(
                f"the store {self.name} was made by a newer hilbench (its schema is {version}, this one knows {HEAD}): "
                "upgrade hilbench"
            )
        return version == HEAD


def _engine(url: str, patience_s: float) -> sa.Engine:
    if not url.startswith("sqlite"):
        return sa.create_engine(url, connect_args=_POSTGRESQL_OPTIONS, pool_timeout=patience_s)
    engine = sa.create_engine(url, pool_timeout=patience_s)

    def connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # `begin` below opens transactions, not the driver by its own rules
        cursor = connection.cursor()
        # The timeout comes first: the others already need the file.
        pragmas = (f"busy_timeout={_BUSY_TIMEOUT_MS}", "journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON")
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def begin(connection: sa.Connection) -> None:
        # A transaction that reads first and writes later is refused, not delayed, where another one wrote in between.
        writes = connection.get_execution_options().get("hilbench_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    event.listen(engine, "connect", connect)
    event.listen(engine, "begin", begin)
    return engine


def _is_transient(error: SQLAlchemyError) -> bool:
    """Whether the same may succeed a little later."""
    if not isinstance(error, DBAPIError):
        return False
    cause = error.orig
    if isinstance(cause, sqlite3.Error):
        code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
        return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    state = getattr(cause, "sqlstate", None)
    if state is not None:
        return str(state).startswith(_TRANSIENT_STATES)
    # No SQLSTATE: the connection was lost or never came about. FATAL is the server's own refusal.
    text = str(cause)
    lost = error.connection_invalidated or type(cause).__name__ in ("OperationalError", "ConnectionTimeout")
    return lost and ("FATAL" not in text or any(word in text for word in _TRANSIENT_REFUSALS))


def _cause(error: SQLAlchemyError) -> str:
    lines = str(getattr(error, "orig", None) or error).strip().splitlines()
    return lines[0].strip() if lines else type(error).__name__
