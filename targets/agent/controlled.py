"""The profile `controlled` from its begin to its end: set, read back, and brought back however the agent ends.

Three stand ready to bring it back: the agent itself; a watchdog in a session of its own, which the kernel wakes when
the agent's lock is gone (targets/agent/watchdog.py); and, when both were killed, the next agent of the account.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .identity import boot_id, start_ticks
from .job import AS_SHIPPED, CONTROLLED, Job
from .state import board_now
from .tuning import Tuning, TuningError, check_all, check_permission, plan_tuning, write_all
from .tuningfile import Owner, bring_back, locked, owner_lives, read, save, saved_path
from .watchdog import start_watchdog

UNKNOWN = "unknown"  # somebody else's settings hold, or those of a killed agent that could not be brought back


@dataclass(slots=True, kw_only=True)
class BoardProfile:
    """The profile that really holds. `reason` says why it is not the one asked for, None if it is."""

    root: Path
    asked: str
    name: str
    reason: str | None = None
    tuning: Tuning | None = None
    left_over: str | None = None

    @property
    def cpus(self) -> tuple[int, ...] | None:
        """Where processes are pinned to; None = they run where the kernel puts them."""
        return None if self.tuning is None else self.tuning.cpus

    def event(self) -> dict[str, Any]:
        """The journal's `tuning` event."""
        tuning = self.tuning
        return {
            "event": "tuning",
            "asked": self.asked,
            "profile": self.name,
            "reason": self.reason,
            "settings": None if tuning is None else dict(tuning.wanted),
            "before": None if tuning is None else dict(tuning.before),
            "cpus": None if tuning is None else list(tuning.cpus),
            "left_over": self.left_over,
            "at": board_now(),
        }

    def release(self) -> dict[str, Any] | None:
        """Bring the board back; the journal's `restored` event, None where nothing had been set."""
        if self.tuning is None:
            return None
        reason = _bring_back_own(self.root)
        self.tuning = None
        return {"event": "restored", "restored": reason is None, "reason": reason, "at": board_now()}


def take_profile(job: Job, jobdir: Path, agent_path: str) -> BoardProfile:
    """Bring back what a killed agent left, then set the job's profile. Never raises: what fails is a reason."""
    root = Path(job.root)
    profile = BoardProfile(root=root, asked=job.board_profile, name=UNKNOWN)
    try:
        profile.left_over = restore_left_over(root)
        profile.name = AS_SHIPPED
        if job.board_profile == CONTROLLED:
            profile.tuning = _control(root, job.frequency_khz, jobdir, agent_path)
            profile.name = CONTROLLED
    except TuningError as error:
        profile.reason = str(error)
    return profile


def restore_left_over(root: Path) -> str | None:
    """Bring back what an agent that is gone had set; says so, None where there was nothing. Raises TuningError."""
    if not saved_path(root).exists():
        return None
    with locked(root) as path:
        saved = read(path)
        if saved is None:
            return None
        if owner_lives(saved.owner):
            raise TuningError(f"another agent of this account (pid {saved.owner.pid}) controls the board's frequency")
        bring_back(root, path, saved)
        return f"the frequency settings of a killed agent (pid {saved.owner.pid}) were brought back"


def _control(root: Path, frequency_khz: int | None, jobdir: Path, agent_path: str) -> Tuning:
    tuning = plan_tuning(root, frequency_khz)
    if root == Path("/") and not set(tuning.cpus) <= os.sched_getaffinity(0):
        raise TuningError(f"this account may not run on the processors {', '.join(map(str, tuning.cpus))}")
    check_permission(root, tuning)
    with locked(root) as path:
        save(path, _this_agent(), tuning)
    try:
        start_watchdog(agent_path, jobdir, root)
        write_all(root, tuning.apply)
        check_all(root, tuning.wanted)
    except TuningError as error:
        also = _bring_back_own(root)
        raise TuningError(str(error) if also is None else f"{error}; and {also}") from error
    return tuning


def _bring_back_own(root: Path) -> str | None:
    """Bring back what this agent set; why that failed, None if it did not."""
    try:
        with locked(root) as path:
            saved = read(path)
            if saved is not None and saved.owner == _this_agent():
                bring_back(root, path, saved)
    except TuningError as error:
        return f"the board's settings could not be brought back: {error}"
    return None


def _this_agent() -> Owner:
    ticks = start_ticks(os.getpid())
    assert ticks is not None
    return Owner(pid=os.getpid(), start_ticks=ticks, boot=boot_id())
