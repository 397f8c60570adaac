"""The section `search:` of a plan: pydantic as users write it, and its reading into a SearchSpec with file and line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, field_validator

from ...compression.errors import RecipeError
from ...reports.searchrecord import WORST
from ...reports.statistics import blocks_needed
from ...targets.strict import Strict
from ...targets.yamlerrors import Location, choice
from ..errors import PlanError
from ..protocol import EMULATED
from .budget import BudgetError, Limit, can_tell, parse_limits, why_untellable
from .space import Space, Template, parse_template
from .spec import ON_FILE, Objective, SearchSpec

if TYPE_CHECKING:
    from ..planfile import PlanFile

Wrong = Callable[[Location, str], None]
Emulated = Mapping[str, bool]  # board -> whether it is emulated


class ObjectiveFile(Strict):
    """One thing to make better. The board may be left out where one board only can tell it."""

    metric: Literal["latency", "p95", "instructions", "energy", "memory", "size", "accuracy"]
    board: str | None = Field(default=None, description="A board of the plan, or `worst`: the worst of all that can.")


class SearchFile(Strict):
    """Which candidates to try, what to make better and what to keep."""

    space: Annotated[list[str | list[Any] | dict[str, Any]], Field(min_length=1)] = Field(
        description="Recipes in which a parameter may be `{any: [..]}` or `{from: a, to: b, step: c}`."
    )
    objectives: Annotated[list[ObjectiveFile], Field(min_length=1, max_length=4)]
    constraints: list[str] = Field(
        default_factory=list[str],
        description="`accuracy drop <= 1pp`, `memory <= 64MiB on NAME`, `p95 <= 30ms`, `instructions <= 5M`, "
        "`size <= 100kB`.",
    )
    trials: Annotated[int, Field(ge=1, le=10_000)] = Field(default=40, description="How many different candidates.")
    sampler: Literal["nsga2", "tpe", "random"] = "nsga2"
    batch: Annotated[int, Field(ge=1, le=64)] = Field(default=8, description="Candidates that share one run.")
    population: Annotated[int, Field(ge=2, le=500)] = Field(default=16, description="Of nsga2: a generation.")
    effort: Annotated[list[Annotated[int, Field(ge=2, le=1000)]], Field(min_length=1, max_length=6)] = Field(
        [2, 4, 8], description="Blocks of each rung on timed boards: all get the first, the front the last."
    )

    @field_validator("effort")
    @classmethod
    def _rises(cls, effort: list[int]) -> list[int]:
        if any(after <= before for before, after in pairwise(effort)):
            raise ValueError("each rung must have more blocks than the one before")
        return effort


def read_search(file: PlanFile, boards: Emulated, models: tuple[str, ...], wrong: Wrong) -> SearchSpec | None:
    """The plan's search; None without one, or where `wrong` was told of a mistake (its place, a sentence)."""
    written = file.search
    if written is None:
        return None
    mistakes: list[str] = []

    def mistake(where: Location, told: str) -> None:
        mistakes.append(told)
        wrong(("search", *where), f"{'.'.join(str(part) for part in ('search', *where))}: {told}")

    _check_plan(file, boards, mistake)
    templates = _templates(written, mistake)
    objectives = _objectives(written, boards, mistake)
    limits = _limits(written, boards, mistake)
    if any(o.metric == "accuracy" for o in objectives) or any(limit.metric == "drop" for limit in limits):
        for name, model in file.models.items():
            if model.task.kind == "none":
                mistake((), f"accuracy is asked for, but the model {name} has no task to judge it by")
    if mistakes:
        return None
    return SearchSpec(
        space=Space(models=models, templates=templates),
        objectives=objectives,
        limits=limits,
        trials=written.trials,
        sampler=written.sampler,
        batch=written.batch,
        population=written.population,
        effort=tuple(written.effort),
        processes=file.processes or EMULATED.blocks,
    )


def _check_plan(file: PlanFile, boards: Emulated, mistake: Wrong) -> None:
    """What the rest of the plan must be like for its rounds to be ordinary runs."""
    assert file.search is not None
    if file.protocol != "quick":
        mistake((), "the rounds of a search follow `protocol: quick`; its effort stands under search.effort")
    if len(file.runtimes) > 1:
        mistake((), "a search measures with one runtime setting; this plan has several under `runtimes`")
    least = blocks_needed(1)
    if boards and not all(boards.values()) and file.search.effort[-1] < least:
        mistake(("effort",), f"the last rung must have at least {least} blocks: fewer give no 95 % interval")


def _templates(written: SearchFile, mistake: Wrong) -> tuple[Template, ...]:
    found: list[Template] = []
    for index, entry in enumerate(written.space):
        try:
            template = parse_template(entry)
        except (PlanError, RecipeError) as error:
            mistake(("space", index), str(error))
            continue
        if template.name in [known.name for known in found]:
            mistake(("space", index), f'"{template.name}" stands there twice; give one of them a name')
        found.append(template)
    return tuple(found)


def _objectives(written: SearchFile, boards: Emulated, mistake: Wrong) -> tuple[Objective, ...]:
    found: list[Objective] = []
    for index, entry in enumerate(written.objectives):
        where = ("objectives", index)
        try:
            objective = _objective(entry, boards)
        except PlanError as error:
            mistake(where, str(error))
            continue
        if objective in found:
            mistake(where, "this objective stands there twice")
        found.append(objective)
    return tuple(found)


def _objective(entry: ObjectiveFile, boards: Emulated) -> Objective:
    metric, board = entry.metric, entry.board
    if metric in ON_FILE:
        if board is not None:
            raise PlanError(f'{metric} is told by no board; leave out "board: {board}"')
        return Objective(metric=metric, board=None)
    if board not in (None, WORST, *boards):
        raise PlanError(f'there is no board "{board}" in this plan{choice(str(board), [*boards, WORST])}')
    if (why := why_untellable(metric, None if board == WORST else board, boards)) is not None:
        raise PlanError(f"{metric}: {why}")
    able = [name for name, emulated in boards.items() if can_tell(metric, emulated=emulated)]
    if board is None and len(able) > 1:
        raise PlanError(f'{metric} is told by {", ".join(able)}; name one, or write "board: {WORST}"')
    only = able[0] if len(able) == 1 else None  # the worst of one board is that board
    return Objective(metric=metric, board=only or board)


def _limits(written: SearchFile, boards: Emulated, mistake: Wrong) -> tuple[Limit, ...]:
    try:
        return parse_limits(written.constraints, boards)
    except BudgetError as error:
        mistake(("constraints", error.index), str(error))
        return ()
