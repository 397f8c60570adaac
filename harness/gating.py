"""The run that a team's test stands on: the newest finished one of its plan, or one that is made now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..reports.record import Budget, RunRecord
from ..reports.summary import summarize
from .assemble import assemble
from .campaign import ready
from .errors import NoSuchRunError, PlanError
from .gated import GatedRun
from .home import Home, find_home
from .plan import Plan, load_plan
from .planread import read_budget
from .progress import Progress
from .run import run_plan
from .selection import Boards
from .store import Store

AUTO, ALWAYS, NEVER = "auto", "always", "never"


def gated_run(plan: Path, *, board: str | None = None, when: str = AUTO) -> GatedRun:
    """A run of a plan, on another board than the plan's if one is given.

    `when`: `auto` takes the newest finished run of exactly this plan (its text, files and boards) and makes one where
    there is none; `always` makes one; `never` raises NoSuchRunError instead. Raises PlanError, ModelError, TargetError.
    """
    known = Boards(None, near=plan)
    loaded = load_plan(plan, known, boards=None if board is None else [board])
    home = find_home(known.inventory_path)
    found = None if when == ALWAYS else _newest(loaded, home)
    if found is None and when == NEVER:
        raise NoSuchRunError(
            f"no finished run of {plan} as it is now in {home.folder}; `hilbench run {plan}` makes one"
        )
    report: str | None = None
    if found is None:
        result = run_plan(loaded, home, new=True, command=f"hilbench run {plan}", progress=Progress(quiet=True))
        found, report = result.record, str(result.report)
    return GatedRun(summarize(found), found.budget, report)


def with_budget(run: GatedRun, budget: Mapping[str, Any] | None) -> GatedRun:
    """The same run against other bounds than its plan's, if any are given. Raises PlanError."""
    if budget is None:
        return run
    bounds: dict[str, Any] = read_budget(budget)
    return replace(run, budget=Budget(**bounds))


def _newest(plan: Plan, home: Home) -> RunRecord | None:
    if home.keeps_database and not home.database.exists():
        return None
    plan_hash = ready(plan, home, command="").plan_hash
    store = Store.open(home.database_url)
    try:
        rows = [row for row in store.runs() if row.plan_hash == plan_hash and row.state == "finished"]
        return assemble(store, rows[0]) if rows else None
    finally:
        store.close()


def plan_path(word: str, beside: Path, root: Path) -> Path:
    """The plan that a marker names: beside the test's file, else below pytest's root. Raises PlanError."""
    for folder in (beside, root):
        path = folder / Path(word).expanduser()
        if path.is_file():
            return path
    raise PlanError(f"there is no plan {word} beside the test (in {beside}) or in {root}")
