"""The journal on the board's disk: whole lines, written and synced only while nothing is timed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .arrays import decode_array
from .bell import Bell

JOURNAL = "journal.jsonl"


class JournalWriteError(Exception):
    """The board's disk did not take a line; the journal was cut back to its last whole line."""


class Journal:
    """An append-only file of JSON lines; `append` returns once the disk has them and has rung the bell."""

    def __init__(self, path: Path, bell: Bell) -> None:
        self._path = path
        self._bell = bell
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._good_bytes = os.fstat(self._fd).st_size

    def append(self, *events: Mapping[str, Any]) -> None:
        """Write the events as lines and sync them. Raises JournalWriteError, with whole lines only left behind."""
        lines = [json.dumps(event, separators=(",", ":"), allow_nan=False) for event in events]
        # The empty line at the end is for readers that hold back a newline until more comes: no event waits for it.
        data = ("\n".join(lines) + "\n\n").encode()
        try:
            _write_all(self._fd, data)
            os.fsync(self._fd)
        except OSError as error:
            os.ftruncate(self._fd, self._good_bytes)
            raise JournalWriteError(f"{self._path}: {error.strerror}") from error
        self._good_bytes += len(data)
        self._bell.ring()

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def parse_journal(data: bytes) -> list[dict[str, Any]]:
    """The events of a journal's bytes, arrays decoded to numpy. A cut-off last line is ignored.

    Raises ValueError where a whole line is no event: then the file is not a journal.
    """
    whole = data[: data.rfind(b"\n") + 1]
    return [parse_event(line) for line in _lines(whole)]


def parse_event(line: bytes) -> dict[str, Any]:
    """One event from one whole line. Raises ValueError where it is none."""
    event = json.loads(line)
    if not isinstance(event, dict) or "event" not in event:
        raise ValueError(f"not a journal event: {line[:80]!r}")
    return _decoded(event)


def _lines(data: bytes) -> Iterable[bytes]:
    return (line for line in data.split(b"\n") if line.strip())


def _decoded(value: Any) -> Any:
    if isinstance(value, dict):
        return decode_array(value) if "zlib64" in value else {key: _decoded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    return value
