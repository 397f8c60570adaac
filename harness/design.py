"""The design of a campaign: its blocks, checked against what the plan asks for, and what they will take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..reports.stopping import pointless_stop
from ..reports.summary import summarize
from .assemble import assemble
from .blocks import comparisons, planned_blocks
from .errors import PlanError
from .forecast import Known, forecast_text, forecasts, known_from
from .plan import Cell, Plan
from .store import RunRow, Store

_LOOKED_AT = 20  # runs, the newest first: an older one says little of how a board is today


def design(plan: Plan, cells: Sequence[Cell]) -> dict[str, int]:
    """The number of blocks on each board. Raises PlanError, with file and line, for numbers that can lead nowhere."""
    try:
        blocks = planned_blocks(plan, cells, plan.blocks)
    except PlanError as error:
        raise PlanError(_placed(plan, "blocks", str(error))) from error
    timed = [blocks[board.name] for board in plan.boards if not board.emulated]
    if plan.stop_at_width_pct is not None and timed:
        problem = pointless_stop(max(timed), comparisons(plan, cells))
        if problem is not None:
            raise PlanError(_placed(plan, "stop_at_width_pct", f"stop_at_width_pct: {problem}"))
    return blocks


def foretell(store: Store, plan: Plan, cells: Sequence[Cell], blocks: Mapping[str, int]) -> list[str]:
    """A sentence for each board: how many blocks and processes, how long, and what difference would be seen.

    What the newest run of the plan told of a board is used, where there is one.
    """
    return [forecast_text(each) for each in forecasts(plan, cells, blocks, _known(store, plan))]


def _known(store: Store, plan: Plan) -> dict[str, Known]:
    timed = [board.name for board in plan.boards if not board.emulated]
    earlier = _newest_finished(store, plan) if timed else None
    if earlier is None:
        return {}
    summary = summarize(assemble(store, earlier))
    return {board: known_from(summary, board) for board in timed}


def _newest_finished(store: Store, plan: Plan) -> RunRow | None:
    same = (run for run in store.runs(limit=_LOOKED_AT) if run.plan_name == plan.name and run.state == "finished")
    return next(same, None)


def _placed(plan: Plan, key: str, problem: str) -> str:
    return problem if plan.path is None else f"{plan.path}:{plan.lines.get(key, 1)}: {problem}"
