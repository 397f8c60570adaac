"""What an optimisation is of: the artifacts of a plan, the boards that can run them, their default settings. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..errors import PlanError
from ..plan import Plan, expand
from ..runtimeplan import RuntimePlan
from .stages import Subject


def subjects(plan: Plan, model_formats: Mapping[str, str], recipes: Sequence[str]) -> tuple[Subject, ...]:
    """Every artifact of the plan with each board that can run it: those of `recipes`, else of the shortlist, else all.

    Raises PlanError for a recipe that the plan has not, and where nothing can run.
    """
    names = [recipe.name for recipe in plan.recipes]
    unknown = [name for name in recipes if name not in names]
    if unknown:
        raise PlanError(f'"{unknown[0]}" is no recipe of this plan; it has {", ".join(names)}')
    mine = recipes or plan.shortlist or names
    cells = expand(replace(plan, runtimes=_runtimes(plan)), model_formats)
    ready = [
        Subject(board=cell.board, model=cell.model, recipe=cell.recipe, runtime=cell.runtime)
        for cell in cells
        if cell.skip is None and cell.recipe in mine
    ]
    found = {subject.key: subject for subject in ready}
    if not found:
        reasons = [cell.skip for cell in cells if cell.skip is not None and cell.recipe in mine]
        raise PlanError(f"nothing of this plan can run: {reasons[0] if reasons else 'it has no such recipes'}")
    return tuple(found.values())


def default_setting(plan: Plan, runtime: str) -> RuntimePlan:
    """What others are compared with: the plan's first setting that fits the runtime, else the runtime's defaults."""
    fitting = [one for one in plan.runtimes if one.name in (None, runtime) and one.tuned is None]
    usable = [replace(one, name=runtime) for one in fitting if one.lacking(runtime) is None]
    return usable[0] if usable else RuntimePlan(name=runtime)


def _runtimes(plan: Plan) -> tuple[RuntimePlan, ...]:
    """The runtimes of a plan, each once, without their settings."""
    names = dict.fromkeys(one.name for one in plan.runtimes)
    return tuple(RuntimePlan(name=name) for name in names)
