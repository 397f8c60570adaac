"""The journal's events, made from what a process answered; their fields are described in `job.py`."""

from __future__ import annotations

import os
import platform
from array import array
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .arrays import encode_int64
from .failures import CellFailure
from .identity import boot_id
from .schedule import Step
from .state import board_now, read_state


def start_event(job_id: str, agent_sha256: str, of: int) -> dict[str, Any]:
    """The journal's first line."""
    return {
        "event": "start",
        "job_id": job_id,
        "pid": os.getpid(),
        "boot_id": boot_id(),
        "agent": agent_sha256,
        "python": platform.python_version(),
        "of": of,
        "at": board_now(),
    }


def result_event(
    step: Step, answer: Mapping[str, Any], before: Mapping[str, Any], started_at: str, *, forked: bool, root: Path
) -> dict[str, Any]:
    """A `check` or a `trial`; what this kind of process does not measure is None or an empty array."""
    if step.kind == "check":
        return {"event": "check", "cell": step.cell.cell, **answer, "at": board_now()}
    nothing = encode_int64(array("q"))
    return {
        "event": "trial",
        "cell": step.cell.cell,
        "kind": step.kind,
        "block": step.block,
        "attempt": step.attempt,
        "position": step.position,
        "importer": step.block if forked else None,
        "started_at": started_at,
        "load_ns": None,
        "first_ns": None,
        "loop_k": 1,
        "warmup": nothing,
        "samples": nothing,
        "counter_source": None,
        "memory": None,
        "profile": None,
        "counters": None,
        "sustained": None,
        **answer,
        "state_before": before,
        "state_after": read_state(root),
    }


def failed_event(step: Step, failure: CellFailure) -> dict[str, Any]:
    """How a cell ended that gives no figure."""
    return {
        "event": "failed",
        "cell": step.cell.cell,
        "outcome": failure.outcome,
        "reason": failure.reason,
        "kind": step.kind,
        "block": step.block,
        "attempt": step.attempt,
        "at": board_now(),
    }


def end_event(state: str) -> dict[str, Any]:
    """The journal's last line."""
    return {"event": "end", "state": state, "at": board_now()}
