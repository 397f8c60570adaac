"""What of a board changes from minute to minute: asked before a job, in one round trip."""

from __future__ import annotations

import re
from typing import Any

from .board import Board
from .cachelimit import CACHE_COMMAND, parse_cache
from .connection import Connection
from .deploy import CACHE_FOLDER
from .probes import FIXED_PROBES, Probe, ask_probes
from .transfer import free_space_command, parse_free_bytes, quoted

_SHARED = ("cores", "memory", "load", "temperatures_c")


def ask_vitals(connection: Connection, board: Board) -> dict[str, Any]:
    """The facts of this file, by name; unknown is None. Raises TargetError where the board ran none of it."""
    return ask_probes(connection, board.name, vital_probes(board))


def vital_probes(board: Board) -> tuple[Probe, ...]:
    """Clock, running threads, memory, load, temperatures, free disk, and `cache`: the files of the board's cache."""
    folder = f"{board.workdir}/{CACHE_FOLDER}"
    return (
        Probe("running", "cat /proc/loadavg", parse_running),
        Probe("clock_s", "date +%s", parse_clock),
        *(probe for probe in FIXED_PROBES if probe.name in _SHARED),
        Probe("workdir_free_bytes", free_space_command(board.workdir), parse_free_bytes),
        Probe("cache", f"cd {quoted(folder)} && {{ {CACHE_COMMAND}; }}", parse_cache),
    )


def parse_clock(output: str) -> float | None:
    """Seconds since 1970 by the board's clock."""
    return float(output) if re.fullmatch(r"\d{1,12}", output.strip()) else None


def parse_running(output: str) -> int | None:
    """How many threads run or want to, the shell that asks included: the fourth field of /proc/loadavg, proc(5)."""
    match = re.match(r"[\d.]+ [\d.]+ [\d.]+ (\d+)/\d+ \d+$", output.strip())
    return int(match[1]) if match else None
