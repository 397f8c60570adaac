"""The two ordinary runs of an optimisation, as plans: a screening of many settings, then a confirmation of few. Pure.

Each is the user's plan for one artifact and one board, with settings as its runtimes. The artifact's recipe is its own
baseline, so that the run compares no recipes; the settings are compared afterwards (judge.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...reports.statistics import blocks_needed
from ...reports.verdict import LEAST_PROCESSES
from ...targets.board import Board
from ..plan import Plan
from ..protocol import protocol_for
from ..runtimeplan import RuntimePlan
from .judge import MEMORY

SCREENING_BLOCKS = 3
_SCREENING_PROCESSES = 1  # counts hardly vary from process to process
_LEAST_BLOCKS = 2
_MEMORY_PROCESSES = 3  # as many as a verdict on sizes needs
_LONGEST_NAME = 64
_NOT_OF_A_STAGE = ("shortlist", "budget", "stop_at_width_pct", "search")  # they may name what a stage does not have


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is optimised: one model through one recipe, under one runtime, on one board."""

    board: Board
    model: str
    recipe: str
    runtime: str

    @property
    def key(self) -> str:
        """Its name in notes and in sentences."""
        return f"{self.board.name}/{self.model}/{self.recipe}/{self.runtime}"


def screening(plan: Plan, subject: Subject, settings: Sequence[RuntimePlan], objective: str) -> Plan:
    """A short run of the default setting (the first one) and all others: it proves nothing, it chooses."""
    blocks = _LEAST_BLOCKS if objective == MEMORY else min(SCREENING_BLOCKS, plan.blocks or SCREENING_BLOCKS)
    return _stage(plan, subject, settings, "screen", "quick", blocks, _SCREENING_PROCESSES, objective)


def confirmation(plan: Plan, subject: Subject, settings: Sequence[RuntimePlan], objective: str) -> Plan:
    """A run under the plan's own protocol, with at least as many blocks or processes as so many comparisons need."""
    own = plan.blocks or protocol_for(plan.protocol, emulated=False).blocks
    blocks = max(own, blocks_needed(len(settings) - 1))
    blocks = _LEAST_BLOCKS if objective == MEMORY else blocks
    processes = None if plan.processes is None else max(plan.processes, LEAST_PROCESSES)
    return _stage(plan, subject, settings, "confirm", plan.protocol, blocks, processes, objective)


def _stage(
    plan: Plan,
    subject: Subject,
    settings: Sequence[RuntimePlan],
    stage: str,
    protocol: str,
    blocks: int,
    processes: int | None,
    objective: str,
) -> Plan:
    index = [recipe.name for recipe in plan.recipes].index(subject.recipe)
    measuring = replace(
        plan.measuring,
        operators=False,
        counters=False,
        sustained=False,
        memory_processes=_MEMORY_PROCESSES if objective == MEMORY else 1,
    )
    end = f"-{stage}"
    changed: dict[str, Any] = {
        "name": plan.name[: _LONGEST_NAME - len(end)] + end,
        "protocol": protocol,
        "blocks": blocks,
        "processes": processes,
    }
    return replace(
        plan,
        **changed,
        source={**_source(plan, subject, settings, index), **changed, "memory_processes": measuring.memory_processes},
        models=tuple(model for model in plan.models if model.name == subject.model),
        recipes=(plan.recipes[index],),
        boards=(subject.board,),
        runtimes=tuple(settings),
        baseline=subject.recipe,
        shortlist=(),
        budget=dict.fromkeys(plan.budget),
        stop_at_width_pct=None,
        pools={},
        remarks=(),
        measuring=measuring,
    )


def _source(plan: Plan, subject: Subject, settings: Sequence[RuntimePlan], index: int) -> dict[str, Any]:
    """The stage as a plan file would say it: stored with its run, and hashed to know it again."""
    kept = {key: value for key, value in plan.source.items() if key not in _NOT_OF_A_STAGE}
    return {
        **kept,
        "models": {subject.model: plan.source["models"][subject.model]},
        "recipes": [plan.source.get("recipes", [subject.recipe])[index]],
        "boards": [subject.board.name],
        "runtimes": [{"name": subject.runtime, **setting.settings()} for setting in settings],
        "baseline": subject.recipe,
        "operators": False,
        "counters": False,
        "sustained": False,
    }
