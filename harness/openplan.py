"""A plan opened for a verb: read, its boards chosen and within their hours, the log and the progress begun."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ..targets.board import Board
from ..targets.claim import clock_time
from .errors import PlanError
from .home import Home, find_home
from .hours import opening
from .log import open_log
from .plan import Plan, load_plan
from .progress import Progress
from .selection import Boards


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPlan:
    """A plan with what every verb needs to work on it."""

    plan: Plan
    known: Boards
    home: Home
    progress: Progress


@contextmanager
def open_plan(
    path: Path, *, boards: Sequence[str] = (), inventory: Path | None, any_time: bool, quiet: bool
) -> Generator[OpenPlan]:
    """Open a plan, with other boards than its own if some are named. Its remarks are said first.

    Raises PlanError, InventoryError before anything is begun.
    """
    known = Boards(inventory, near=path)
    plan = load_plan(path, known, boards=tuple(boards) or None)
    if not any_time:
        refuse_outside_hours(plan.boards)
    home = find_home(known.inventory_path)
    with open_log(home.log), Progress(quiet=quiet) as progress:
        for remark in plan.remarks:
            progress.say(remark)
        yield OpenPlan(plan=plan, known=known, home=home, progress=progress)


def refuse_outside_hours(boards: Sequence[Board]) -> None:
    """Raise PlanError for a board that may not be used at this hour."""
    for board in boards:
        opens = opening(board.hours, time.time())
        if opens is not None:
            until = clock_time(datetime.fromtimestamp(opens).astimezone(), now=datetime.now().astimezone())
            hint = "--any-time runs now, `hilbench submit` waits for them"
            raise PlanError(f"{board.name} is outside its hours, which begin at {until}: {hint}")
