"""Whether a worker lives, for those who look once. Workers themselves watch each other's beats, without any clock."""

from __future__ import annotations

import os
import socket
from datetime import datetime

from .errors import PlanError
from .queuestore import WorkerRow

BEAT_SETTING, DEAD_SETTING = "HILBENCH_WORKER_BEAT_S", "HILBENCH_WORKER_DEAD_S"
BEAT_S, DEAD_S = 5.0, 60.0


def beat_s() -> float:
    """How often a worker says that it lives."""
    return _setting(BEAT_SETTING, BEAT_S)


def dead_s() -> float:
    """How long a worker may be silent before others take its jobs over."""
    return _setting(DEAD_SETTING, DEAD_S)


def lives(row: WorkerRow, at_s: float) -> bool:
    """On this host its process tells; elsewhere its last beat does, as far as the hosts' clocks agree."""
    if row.host == socket.gethostname():
        return _exists(row.pid)
    return at_s - datetime.fromisoformat(row.seen_at).timestamp() <= dead_s()


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _setting(name: str, usual: float) -> float:
    text = os.environ.get(name, "")
    try:
        value = float(text) if text else usual
    except ValueError as error:
        raise PlanError(f'{name} must be a number of seconds, not "{text}"') from error
    if not value > 0:
        raise PlanError(f'{name} must be a number of seconds above 0, not "{text}"')
    return value
