"""The log: one JSON object a line, in `.hilbench/log/hilbench.jsonl`, and on stderr where a service manager wants it.

Lines come at the moments at which a line of progress comes: before and after what is timed, or in a gap. Nothing is
written while this machine is being timed.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import sys
from collections.abc import Generator
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path

LARGEST_BYTES = 5_000_000
KEPT = 3  # older files beside the present one: `hilbench.jsonl.1` is the newest of them

_logger = logging.getLogger("hilbench.log")
_logger.addHandler(logging.NullHandler())
_logger.propagate = False

_FIELDS = ("run", "board", "cell")
_about: ContextVar[dict[str, str] | None] = ContextVar("hilbench_log_about", default=None)


@contextlib.contextmanager
def open_log(file: Path, *, stderr: bool = False) -> Generator[None]:
    """Write to this file while the block runs, and to stderr if asked. A log that cannot be written stops nothing."""
    handlers: list[logging.Handler] = [_JsonFile(file), *([logging.StreamHandler(sys.stderr)] if stderr else [])]
    for handler in handlers:
        handler.setFormatter(JsonLines())
        _logger.addHandler(handler)
    _logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        for handler in handlers:
            _logger.removeHandler(handler)
            handler.close()


@contextlib.contextmanager
def about(*, run: str | None = None, board: str | None = None, cell: str | None = None) -> Generator[None]:
    """All lines that this thread logs in the block are about this run, board or cell; nearer words win."""
    given = {"run": run, "board": board, "cell": cell}
    token = _about.set({**(_about.get() or {}), **{key: value for key, value in given.items() if value is not None}})
    try:
        yield
    finally:
        _about.reset(token)


def log_event(event: str, message: str, *, failed: bool = False) -> None:
    """One line: `event` is a fixed word to search for, `message` a sentence. `failed` makes it an error."""
    _logger.log(logging.ERROR if failed else logging.INFO, message, extra={"event": event})


class JsonLines(logging.Formatter):
    """A record as one line of JSON: time, level, event, run, board, cell, message. What is not known is null."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter.format."""
        known = _about.get() or {}
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {
            "time": moment.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "event": getattr(record, "event", "message"),
            **{field: known.get(field) for field in _FIELDS},
            "message": record.getMessage(),
            "process": record.process,
        }
        return json.dumps(line, ensure_ascii=False)


class _JsonFile(logging.Handler):
    """Appends whole lines to a file that several processes share; the one that would overfill it moves it aside."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file

    def emit(self, record: logging.LogRecord) -> None:
        """See logging.Handler.emit. A full disk costs the line, never the run."""
        line = (self.format(record) + "\n").encode(errors="replace")
        with contextlib.suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.with_suffix(".lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if self._file.exists() and self._file.stat().st_size + len(line) > LARGEST_BYTES:
                    _move_aside(self._file)
                descriptor = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
                try:
                    os.write(descriptor, line)
                finally:
                    os.close(descriptor)


def _move_aside(file: Path) -> None:
    for number in range(KEPT, 0, -1):
        older = file if number == 1 else file.with_name(f"{file.name}.{number - 1}")
        if older.exists():
            older.replace(file.with_name(f"{file.name}.{number}"))
