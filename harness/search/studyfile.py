"""The file on disk that keeps all that a search knows: facts by key, and what the sampler was asked and told.

SQLite, a statement a write. What its library raises becomes one sentence here, and so does a file whose contents nobody
can read any more: damaged, or written by something else.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..damaged import UNREADABLE
from ..errors import StoreError

_TABLES = """
CREATE TABLE IF NOT EXISTS facts (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS asked (number INTEGER PRIMARY KEY, value TEXT NOT NULL);
"""


class StudyFile:
    """A search's file, made where it is not there. A write is whole or not at all when the call returns.

    It does not wait for the disk: what is written survives the end of the program at any moment. A power cut may take
    the last writes back; rounds that finished are found again in the store of runs. Raises StoreError.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with self.reading():
            self._file = sqlite3.connect(path, timeout=60, isolation_level=None)
            self._file.execute("PRAGMA journal_mode=WAL")
            self._file.execute("PRAGMA synchronous=NORMAL")
            self._file.executescript(_TABLES)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def facts(self) -> dict[str, Any]:
        """All facts."""
        return {key: json.loads(value) for key, value in self._file.execute("SELECT key, value FROM facts")}

    def asked(self) -> list[tuple[int, Any]]:
        """What the sampler was asked and told, in the order of asking."""
        rows = self._file.execute("SELECT number, value FROM asked ORDER BY number").fetchall()
        return [(number, json.loads(value)) for number, value in rows]

    def set_fact(self, key: str, value: Any) -> None:
        """Write a fact, plain data that JSON takes."""
        self._write("INSERT OR REPLACE INTO facts VALUES (?, ?)", key, value)

    def set_asked(self, number: int, value: Any) -> None:
        """Write what the sampler knows of one of its trials."""
        self._write("INSERT OR REPLACE INTO asked VALUES (?, ?)", number, value)

    @contextmanager
    def reading(self) -> Generator[None]:
        """Around all that makes sense of the file's contents: what cannot be read is said in one sentence."""
        try:
            yield
        except (sqlite3.Error, *UNREADABLE) as error:
            raise StoreError(
                f"the search kept in {self._path} cannot be read ({_cause(error)}); move the file away, and the same "
                "command begins anew: what its rounds measured is found again as far as they are the same"
            ) from error

    def _write(self, statement: str, key: str | int, value: Any) -> None:
        try:
            self._file.execute(statement, (key, json.dumps(value)))
        except sqlite3.Error as error:
            raise StoreError(
                f"the search in {self._path} cannot be written ({_cause(error)}); what was measured is kept, and the "
                "same command goes on once it can"
            ) from error


def _cause(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"{error} is missing"
    return str(error).partition("\n")[0] or type(error).__name__
