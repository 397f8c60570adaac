"""What the closed loop is worth: hypervolume and board time against random search and against measuring everything, over
a table in which every candidate was measured (`search_table.json.gz`, see `measure_search_table.py`); and its overhead.

Board time is the measured seconds of the table; nothing of the table is known to a search before it asked for it. Not
part of `make test`: five seeds take a minute, and the overhead is timed.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from statistics import median

import pytest
from hilbench.harness.plan import Plan, load_plan
from hilbench.harness.search.build import is_finalist
from hilbench.harness.search.front import clearly_dominates, front, near_front
from hilbench.harness.search.knowledge import Knowledge
from hilbench.harness.search.loop import Search
from hilbench.harness.search.measurer import Candidate, Round
from hilbench.harness.search.proposing import unseen
from hilbench.harness.search.replay import Table, TableEntry, TableMeasurer, read_table
from hilbench.harness.search.scoring import Rules
from hilbench.harness.search.space import Space, parse_template
from hilbench.harness.search.spec import SearchSpec
from hilbench.harness.search.study import Study
from hilbench.harness.search.telling import Telling
from hilbench.harness.selection import Boards
from hilbench.reports.hypervolume import hypervolume

HERE = Path(__file__).parent
SEEDS = range(1, 6)
RANDOM_TRIALS = 32  # random search's full budget: so many candidates at full effort
LEAST_SAVING, LONGEST_TRIAL_S = 3.0, 2.0
Point = tuple[float, ...]


@cache
def plan() -> Plan:
    """The plan whose space was measured."""
    return load_plan(HERE / "search_space.yaml", Boards(HERE.parents[1] / "inventory.yaml"))


@cache
def table() -> Table:
    """Everything in that space, measured."""
    return read_table(HERE / "search_table.json.gz")


def spec(**changes: object) -> SearchSpec:
    """The plan's search, changed."""
    found = plan().search
    assert found is not None
    return replace(found, **changes)  # pyright: ignore[reportArgumentType]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """How far a search is: seconds of all boards so far, and the recipes on its front by what it measured itself."""

    board_time_s: float
    recipes: tuple[str, ...]


def searching(path: Path, asked: SearchSpec, seed: int, measured: Table | None = None) -> Search:
    """A search over the table."""
    rules = Rules(spec=asked, boards={board.name: board.emulated for board in plan().boards})
    study = Study(path, asked, seed=seed)
    known = Knowledge(rules, study)
    return Search(known, study, TableMeasurer(measured or table()), Telling(lambda _: None), seed=seed)


def board_time_s(search: Search) -> float:
    """The seconds that boards spent on it."""
    return math.fsum(seconds for state in search.known.states.values() for seconds in state.board_time_s.values())


def moments(search: Search) -> list[Moment]:
    """The whole search, with its front after each round."""
    found = [Moment(board_time_s=0.0, recipes=())]
    while search.step():
        spent_s = board_time_s(search)
        if spent_s > found[-1].board_time_s:
            kept = search.known.feasible_scores()
            recipes = tuple(search.known.states[number].recipe for number in sorted(front(kept)))
            found.append(Moment(board_time_s=spent_s, recipes=recipes))
    return found


def random_moments(seed: int, *, host_first: bool) -> list[Moment]:
    """Random search: different files in no order, each at full effort. `host_first`: what the host rules out is spared.

    Its front is by the figures of full effort; the same round size as the loop's, and the same share of overheads.
    """
    asked = spec(effort=(spec().effort[-1],), batch=8)
    measurer, files, drawn = TableMeasurer(table()), set[str | None](), set[str]()
    found, chosen, spent_s = [Moment(board_time_s=0.0, recipes=())], list[str](), 0.0
    for _ in range(RANDOM_TRIALS // asked.batch):
        batch: list[Candidate] = []
        while len(batch) < asked.batch:
            point = unseen(asked.space, drawn, seed=(seed, len(drawn)))
            if point is None:
                break
            drawn.add(point.key)
            recipe = asked.space.recipe(point)
            entry = table().entries[point.model, recipe.name]
            if entry.judged.artifact_sha256 in files or (host_first and not keeps_limits(entry)):
                continue
            files.add(entry.judged.artifact_sha256)
            batch.append(Candidate(number=len(drawn), model=point.model, recipe=recipe))
        effort = {board.name: asked.blocks(0, emulated=board.emulated) for board in plan().boards}
        given = measurer.measure(Round(number=0, effort=effort, candidates=tuple(batch))).found.values()
        spent_s += math.fsum(one.board_time_s for one in given)
        chosen += [one.recipe.name for one in batch]
        found.append(Moment(board_time_s=spent_s, recipes=tuple(chosen)))
    return found


def keeps_limits(entry: TableEntry) -> bool:
    """Whether a candidate keeps the plan's limits, which the host alone can tell."""
    bounds = {limit.metric: limit.value for limit in spec().limits}
    drop, size = entry.judged.drop, entry.judged.artifact_bytes
    return drop is not None and size is not None and drop <= bounds["drop"] and size <= bounds["size"]


def point_of(recipe: str) -> Point:
    """Where a recipe truly is, by all blocks: logarithms of its ratios to the baseline, and the accuracy lost."""
    model = plan().models[0].name
    entry, base = table().entries[model, recipe], table().entries[model, table().baseline]
    ratios = [
        math.log(median(entry.boards[board].metrics[metric]) / median(base.boards[board].metrics[metric]))
        for metric, board in (("latency", "this-machine"), ("instructions", "emulated-a76"))
    ]
    return (*ratios, entry.judged.drop or 0.0)


def volume(recipes: Iterable[str]) -> float:
    """The space between the baseline and those of some candidates that keep the limits: in percentage points."""
    kept = [one for one in recipes if keeps_limits(table().entries[plan().models[0].name, one])]
    limit = next(one.value for one in spec().limits if one.metric == "drop")
    return 100 * hypervolume([point_of(one) for one in kept], (0.0, 0.0, limit + 1e-9))


def volume_at(found: Sequence[Moment], seconds: float) -> float:
    """The volume of the front that was known when boards had spent so much time."""
    return volume([one for one in found if one.board_time_s <= seconds][-1].recipes)


@cache
def in_the_end() -> float:
    """The volume of the whole space."""
    return volume(recipe for (_, recipe), entry in table().entries.items() if entry.judged.failed is None)


@pytest.mark.parametrize("sampler", ["nsga2", "tpe", "random"])
def test_half_of_random_searchs_board_time_is_enough(sampler: str, tmp_path: Path) -> None:
    rows: list[tuple[float, float, float, float]] = []
    for seed in SEEDS:
        loop = moments(searching(tmp_path / f"{seed}.sqlite", spec(sampler=sampler), seed))
        plain, spared = (random_moments(seed, host_first=first) for first in (False, True))
        budget_s = plain[-1].board_time_s
        rows.append(
            (
                volume_at(loop, budget_s / 2),
                volume(plain[-1].recipes),
                volume_at(loop, spared[-1].board_time_s / 2),
                volume(spared[-1].recipes),
            )
        )
        shown = ", ".join(f"{value / in_the_end():.1%}" for value in rows[-1])
        print(f"\n{sampler}, seed {seed}: {shown} of the whole space's; random takes {budget_s:.0f} s")
    half, plain_all, half_spared, spared_all = (median(column) for column in zip(*rows, strict=True))
    print(
        f"{sampler}, medians: the loop in half the time {half / in_the_end():.1%}, random {plain_all / in_the_end():.1%}; "
        f"against random search that the host spares: {half_spared / in_the_end():.1%}, {spared_all / in_the_end():.1%}"
    )
    assert half >= plain_all
