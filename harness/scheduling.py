"""A schedule from words: checked with its plan before it is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .cron import refuse_bad_cron
from .job import Schedule
from .plan import load_plan
from .selection import Boards


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """Which schedule: its name (None: the plan's), five words of cron, and whose clock."""

    cron: str
    zone: str = "UTC"
    name: str | None = None


def schedule_of(
    plan: Path, when: When, known: Boards, *, boards: Sequence[str], priority: str, command: str, person: str
) -> Schedule:
    """The schedule for the engine to keep. Raises PlanError, InventoryError for what is wrong."""
    refuse_bad_cron(when.cron, when.zone)
    loaded = load_plan(plan, known, boards=boards or None)
    found = known.inventory_path
    what = {
        "plan": str(plan.resolve()),
        "boards": list(boards),
        "priority": priority,
        "inventory": None if found is None else str(found.resolve()),
        "command": command,
        "person": person,
    }
    return Schedule(name=when.name or loaded.name, cron=when.cron, zone=when.zone, what=what)
