"""What a controlled board was like before, in a file that outlives the agent: whoever comes next can bring it back.

One file for an account of the board, `/var/tmp/hilbench-tuning-<uid>.json`, read and written under a lock beside it.
It names the agent that it belongs to. A board that has started anew since has its own settings back already.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .identity import boot_id, is_alive
from .tuning import Tuning, TuningError, Write, check_all, write_all

_FOLDER = "var/tmp"
_SETTABLE = re.compile(r"sys/devices/system/cpu/cpufreq/(policy\d+/scaling_\w+|boost)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The agent whose settings a file brings back."""

    pid: int
    start_ticks: int
    boot: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """How a board was, and the writes that make it so again."""

    owner: Owner
    restore: tuple[Write, ...]
    before: Mapping[str, str]


def saved_path(root: Path) -> Path:
    """Where this account's file is, whether it exists or not."""
    return root / _FOLDER / f"hilbench-tuning-{os.geteuid()}.json"


@contextmanager
def locked(root: Path) -> Generator[Path]:
    """The file's path, while nobody else of this account reads or writes it. Raises TuningError."""
    path = saved_path(root)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        lock = os.open(path.with_suffix(".lock"), flags, 0o600)
    except OSError as error:
        raise TuningError(f"{path} cannot be used: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield path
    finally:
        os.close(lock)


def save(path: Path, owner: Owner, tuning: Tuning) -> None:
    """Keep what brings the board back, on the disk before anything is changed. Raises TuningError."""
    facts = {"owner": _plain(owner), "restore": tuning.restore, "before": dict(tuning.before)}
    part = path.with_suffix(".part")
    try:
        with suppress(FileNotFoundError):
            part.unlink()
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            json.dump(facts, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise TuningError(f"{path} cannot be written: {error.strerror}") from error


def read(path: Path) -> Saved | None:
    """What is kept; None where nothing is. Raises TuningError where the file is not one that we may act on."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TuningError(f"{path} cannot be read: {error.strerror}") from error
    with os.fdopen(fd, encoding="utf-8", errors="replace") as file:
        if os.fstat(file.fileno()).st_uid != os.geteuid():
            raise TuningError(f"{path} belongs to another account")
        text = file.read()
    try:
        raw: dict[str, Any] = json.loads(text)
        restore = tuple((str(name), str(value)) for name, value in raw["restore"])
        saved = Saved(owner=Owner(**raw["owner"]), restore=restore, before=dict(raw["before"]))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise TuningError(f"{path} is damaged; remove it once the board's settings are as they should be") from error
    for name in (*(name for name, _ in saved.restore), *saved.before):
        if not _SETTABLE.fullmatch(name):
            raise TuningError(f"{path} names /{name}, which this program never sets")
    return saved


def bring_back(root: Path, path: Path, saved: Saved) -> None:
    """Write everything back, read it, and forget the file.

    What the board reads afterwards decides: a write that fails keeps no other from being made, and does no harm where
    nothing had been changed. Raises TuningError; then the file stays for the next one.
    """
    if saved.owner.boot == boot_id():
        failures = [failure for write in saved.restore if (failure := _failure(root, write)) is not None]
        try:
            check_all(root, saved.before)
        except TuningError as error:
            raise TuningError(f"{failures[0] if failures else error} ({path} keeps what was before)") from error
    path.unlink(missing_ok=True)


def _failure(root: Path, write: Write) -> str | None:
    try:
        write_all(root, [write])
    except TuningError as error:
        return str(error)
    return None


def owner_lives(owner: Owner) -> bool:
    """Whether the agent of a file still runs."""
    return is_alive(owner.pid, owner.start_ticks, owner.boot)


def _plain(owner: Owner) -> dict[str, Any]:
    return {"pid": owner.pid, "start_ticks": owner.start_ticks, "boot": owner.boot}
