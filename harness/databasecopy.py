"""A copy of a store as it was before its schema is changed: a file beside a SQLite file, a schema inside PostgreSQL.

Both are made while the transaction that migrates holds the store, so nothing can be written between copy and change. In
PostgreSQL the copy is part of that transaction: a program such as pg_dump would have to be there, to fit the server's
release and to be told the password, and a migration that fails would leave its file behind.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import ProgrammingError

from .errors import StoreError
from .tables import CELLS, NOTES, RUNS, TRIALS

_TABLES = (*(table.name for table in (RUNS, CELLS, NOTES, TRIALS)), "alembic_version")
_MOST_COPIES = 1000


def keep_copy(connection: sa.Connection, name: str, version: str) -> str | None:
    """Copy the store before it leaves `version`; returns where to, in words, or None for one that is in memory only.

    `name` is what messages call the store. A copy is never overwritten. Raises StoreError where none can be made.
    """
    if connection.dialect.name == "postgresql":
        return _copy_tables(connection, name, version)
    database = connection.engine.url.database
    if database in (None, "", ":memory:"):
        return None
    return str(_copy_file(Path(str(database)), name, version))


def _copy_file(file: Path, name: str, version: str) -> Path:
    names = (f"{file.name}.schema-{version}{_suffix(number)}.bak" for number in range(_MOST_COPIES))
    copy = next(path for path in map(file.with_name, names) if not path.exists())
    partial = copy.with_name(copy.name + ".part")
    try:
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(partial)) as target:
            source.backup(target)
        partial.replace(copy)
    except (OSError, sqlite3.Error) as error:
        if partial.is_file():
            partial.unlink()
        raise StoreError(f"{_left_alone(name)}: {error}") from error
    return copy


def _copy_tables(connection: sa.Connection, name: str, version: str) -> str:
    inspector = sa.inspect(connection)
    known, quoted = set(inspector.get_schema_names()), connection.dialect.identifier_preparer.quote
    schemas = (f"hilbench_backup_{version}{_suffix(number, '_')}" for number in range(_MOST_COPIES))
    schema = next(found for found in schemas if found not in known)
    tables = [quoted(table) for table in _TABLES if inspector.has_table(table)]
    # Who writes waits until the migration has ended; who reads does not.
    connection.execute(sa.text(f"LOCK TABLE {', '.join(tables)} IN SHARE ROW EXCLUSIVE MODE"))
    try:
        connection.execute(sa.text(f"CREATE SCHEMA {quoted(schema)}"))
    except ProgrammingError as error:  # the account may not; all else is judged where the database is asked
        database = connection.engine.url.database
        right = f'GRANT CREATE ON DATABASE "{database}" to its account, or upgrade with one that has this right'
        raise StoreError(f"{_left_alone(name)}: {str(error.orig).strip()}; {right}") from error
    for table in tables:
        copy = f"{quoted(schema)}.{table}"
        # Keys and numbering too: the release that made it opens the copy as it is.
        connection.execute(sa.text(f"CREATE TABLE {copy} (LIKE {table} INCLUDING ALL)"))
        connection.execute(sa.text(f"INSERT INTO {copy} SELECT * FROM {table}"))  # noqa: S608  names of ours
    return f"schema {schema} of the same database"


def _suffix(number: int, sign: str = "-") -> str:
    return f"{sign}{number}" if number else ""


def _left_alone(name: str) -> str:
    return f"the store {name} is left as it is: no copy of it could be made"
