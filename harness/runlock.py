"""One process at a time works on a run."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from .errors import PlanError


@contextmanager
def only_one(path: Path, run_id: str) -> Generator[None]:
    """Hold the lock of a run; it ends with this process. Raises PlanError where another process has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise PlanError(f"run {run_id} is being worked on by {holder}; --new starts another one") from error
        file.truncate(0)
        file.write(f"process {os.getpid()}")
        file.flush()
        yield
