"""One process at a time works on a run."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from .errors import PlanError
from .home import Home


@contextmanager
def only_one(path: Path, run_id: str, *, doing: str = "--new starts another one") -> Generator[None]:
    """Hold the lock of a run; it ends with this process. Raises PlanError where another process has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise PlanError(f"run {run_id} is being worked on by {holder}; {doing}") from error
        file.truncate(0)
        file.write(f"process {os.getpid()}")
        file.flush()
        yield


@contextmanager
def one_of_several(path: Path, run_id: str, who: str) -> Generator[None]:
    """Hold the lock of a run together with the other jobs of the queue that work on it. Raises as `only_one` does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise PlanError(f"run {run_id} is being worked on by another process: it is not the queue's") from error
        file.truncate(0)
        file.write(who)
        file.flush()
        yield


def refuse_while_running(home: Home) -> None:
    """Raise PlanError if a process works on any run of this home: what it needs must not be removed."""
    for path in home.folder.glob("runs/*/lock"):
        with only_one(path, path.parent.name, doing="wait until it has ended"):
            pass
